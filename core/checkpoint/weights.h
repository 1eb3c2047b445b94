// SPDX-License-Identifier: MIT
// Weights by name from a folder in the released format, converted on the way: F32, BF16, F16 and
// F64 as they are, FP8 multiplied by its scales. These lie beside a tensor X as X_scale_inv
// (DeepSeek-V3 report, section 3.3, and the released checkpoints: one per 128x128 block) or as
// X_scale (other programs); their shape tells whether there is one per block, per row, per matrix
// of a stack, or one for all. Both names hold what the stored value is multiplied by.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/checkpoint/hf_config.h"
#include "core/checkpoint/safetensors.h"

namespace tessera {

/// Looks tensors up by their released names and fills views with them. Remembers what was read, so
/// that a folder of another model is noticed. Use from one thread.
class WeightSource {
 public:
  /// A folder or one .safetensors file.
  explicit WeightSource(std::filesystem::path path, ScaleBlock block = {});

  /// From now on read() and read_part() throw Stopped when `stop`, which may be null, is set.
  void set_stop(const std::atomic<bool>* stop) { stop_ = stop; }

  bool has(std::string_view name) const { return folder_.find(name) != nullptr; }
  /// Any name begins with this.
  bool has_prefix(std::string_view prefix) const;
  /// Throws Error for an unknown name.
  const std::vector<std::int64_t>& shape(std::string_view name) const;
  const SafetensorsFolder& folder() const { return folder_; }

  /// Fills `to`, whose shape must be the stored one. `to` is F32, BF16 or F64 (converted, rounding
  /// to nearest even once, after the scale), or has the stored dtype (copied bit for bit, and for
  /// FP8 without the scale). Rows of `to` may be strided, so one expert of a stacked tensor is
  /// `stack[e]` or a slice of it. CPU or GPU.
  /// Throws Error for an unknown name, a wrong shape, an FP8 weight without its scales, or scales
  /// whose shape fits none of the ways above.
  void read(std::string_view name, const Tensor& to);

  /// Fills `to`, (rows, columns), with the part of the stored matrix that begins at (row, column);
  /// of a tensor with more dimensions, all but the last are its rows. For a vector `to` is (n) and
  /// begins at `row`. Conversions and errors as in read().
  void read_part(std::string_view name, std::int64_t row, std::int64_t column, const Tensor& to);

  /// Counts a tensor (and its scales) as read without reading it.
  void mark_used(std::string_view name);
  /// Throws Error when the tensor is FP8 and its scales are missing or do not fit.
  void require_scales(std::string_view name);
  /// The name of an FP8 tensor's scales; empty: it has none.
  std::string scales_name(std::string_view name) const;
  /// Names that nobody asked for, sorted.
  std::vector<std::string> unused() const;
  /// Throws Error, listing the first of them, when names were left over.
  void require_all_used() const;

 private:
  struct Scales;
  struct Rows;
  const StoredTensor& use(std::string_view name);
  bool lay_out(const StoredTensor& tensor, const StoredTensor& stored, Scales& scales) const;
  std::shared_ptr<const Scales> scales_of(const StoredTensor& tensor);
  Rows rows_of(const StoredTensor& tensor, DType to);
  void fill(const StoredTensor& tensor, std::int64_t row, std::int64_t column, const Tensor& to);
  SafetensorsFolder folder_;
  ScaleBlock block_;
  const std::atomic<bool>* stop_ = nullptr;
  std::shared_ptr<const Scales> last_scales_;  ///< a stack is read part by part
  std::set<std::string, std::less<>> used_;
};

}  // namespace tessera
