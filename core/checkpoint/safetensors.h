// SPDX-License-Identifier: MIT
// The safetensors format (github.com/huggingface/safetensors, "Format"): 8 bytes little-endian
// header length, a JSON header {name: {dtype, shape, data_offsets}, "__metadata__": {...}}, then
// the tensors' bytes, row major and little-endian, without holes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/base/tensor.h"
#include "core/checkpoint/file_writer.h"

namespace tessera {

/// Called between tensors while files are written; what it throws ends the work.
using Between = std::function<void()>;

using SafetensorsMetadata = std::map<std::string, std::string>;

/// A tensor inside a file. `bytes` belongs to the file it came from and is read only.
struct StoredTensor {
  std::string name;
  DType dtype = DType::F32;
  std::vector<std::int64_t> shape;  ///< empty: a scalar; any rank
  std::span<const std::byte> bytes;

  std::int64_t numel() const;
  std::string describe() const;  ///< "F32(4, 128)"
  /// The same memory as a Tensor, without a copy; a scalar becomes (1).
  /// NOTE: the memory is mapped read only: writing through the view ends the process.
  /// Throws Error for more than four dimensions, and where the bytes are not aligned to the element
  /// (older writers): use copy_to() there.
  Tensor view() const;
  /// Copies bit for bit into a CPU or GPU tensor of the same dtype and shape; rows may be strided.
  void copy_to(const Tensor& to) const;
};

struct SafetensorsContents {
  std::vector<StoredTensor> tensors;  ///< in the order of their bytes
  SafetensorsMetadata metadata;
};

/// Reads a whole file's bytes. `where` names the file in errors. Everything is checked before it is
/// believed: header length against size, JSON (duplicate and unknown keys too), dtypes, shapes
/// against byte counts (with overflow), offsets that overlap, leave holes or run past the end.
SafetensorsContents parse_safetensors(std::span<const std::byte> file, const std::string& where);

/// A safetensors file, mapped into memory: opening reads the header only.
/// Throws Error naming the file, the tensor and what to do.
class SafetensorsFile {
 public:
  explicit SafetensorsFile(std::filesystem::path path);
  SafetensorsFile(SafetensorsFile&&) = default;  // and no copy: index_ holds views into contents_
  SafetensorsFile& operator=(SafetensorsFile&&) = default;

  const std::filesystem::path& path() const { return path_; }
  const std::vector<StoredTensor>& tensors() const { return contents_.tensors; }
  const SafetensorsMetadata& metadata() const { return contents_.metadata; }
  /// Null when there is none of that name.
  const StoredTensor* find(std::string_view name) const;
  /// Throws Error, with the nearest name, when there is none.
  const StoredTensor& at(std::string_view name) const;

 private:
  struct Mapping;
  std::filesystem::path path_;
  std::shared_ptr<const Mapping> mapping_;
  SafetensorsContents contents_;
  std::unordered_map<std::string_view, std::size_t> index_;
};

/// All tensors of a folder: model.safetensors; or model.safetensors.index.json and its shards; or,
/// where the index is absent, shards named model-00001-of-00003.safetensors, of which none may
/// lack. Also takes the path of one .safetensors file.
class SafetensorsFolder {
 public:
  /// Throws Error that says what there is instead, where it holds no model, and one that names the
  /// tensor, where two shards hold different tensors of one name.
  explicit SafetensorsFolder(std::filesystem::path path);

  const std::filesystem::path& path() const { return path_; }
  const StoredTensor* find(std::string_view name) const;
  const StoredTensor& at(std::string_view name) const;
  /// Any name begins with this.
  bool has_prefix(std::string_view prefix) const;
  /// Sorted.
  std::vector<std::string> names() const;
  std::uint64_t total_bytes() const;
  /// What was passed over when opening, one sentence each.
  const std::vector<std::string>& notes() const { return notes_; }

 private:
  using Index = std::map<std::string, std::string>;
  void open_indexed(const std::filesystem::path& index_file);
  /// Adds all tensors of a file; with an index, those that it places there.
  void add_file(const std::string& name, const Index* index);
  void add_tensor(const StoredTensor& tensor, const std::string& file);
  std::filesystem::path path_;
  std::vector<std::unique_ptr<SafetensorsFile>> files_;
  std::map<std::string, const StoredTensor*, std::less<>> tensors_;
  std::vector<std::string> notes_;
};

/// A tensor to be written, under a name. The view's rows may be strided (experts or halves of a
/// stacked tensor); only its last dimension is contiguous. CPU or GPU memory.
struct NamedTensor {
  std::string name;
  Tensor data;
};

/// What a tensor of a file to be written will be.
struct TensorPlan {
  std::string name;
  DType dtype = DType::F32;
  std::vector<std::int64_t> shape;
  std::uint64_t bytes() const;
};

/// The plan that writes every tensor in its own dtype.
std::vector<TensorPlan> plan_of(std::span<const NamedTensor> tensors);

/// What transformers wants to see in the metadata of a model's files.
inline const SafetensorsMetadata kFormatMetadata{{"format", "pt"}};

/// Writes one file as a stream: nothing but the header and a small buffer is held in memory.
class SafetensorsWriter {
 public:
  /// Writes the header; the file will hold `plan` in this order. Throws Error for a name that comes
  /// twice, an empty one, or "__metadata__".
  SafetensorsWriter(std::filesystem::path path, std::vector<TensorPlan> plan,
                    const SafetensorsMetadata& metadata = {});

  /// Appends the bytes of the next tensor of the plan, or of some of its rows: parts add up.
  /// F32 is rounded to BF16 where the plan says so, and BF16 widened; otherwise dtypes are equal.
  void append(const Tensor& part);
  /// Flushes to the disk. Throws Error when tensors of the plan are missing.
  WrittenFile finish();

  /// Bytes of the file that a plan makes.
  static std::uint64_t file_bytes(const std::vector<TensorPlan>& plan,
                                  const SafetensorsMetadata& metadata = {});

 private:
  std::vector<TensorPlan> plan_;
  FileWriter file_;
  std::size_t current_ = 0;
  std::uint64_t current_bytes_ = 0;
};

/// Writes `tensors` in the given order, each in its own dtype.
WrittenFile write_safetensors(const std::filesystem::path& path,
                              std::span<const NamedTensor> tensors,
                              const SafetensorsMetadata& metadata = {},
                              const Between& between = {});

/// A file of a folder that was written, for a manifest.
struct FolderFile {
  std::string name;
  WrittenFile written;
};

inline constexpr std::uint64_t kShardBytes = 5'000'000'000;

/// Cuts a list of tensors, in order, into shards of at most `shard_bytes` of data each (a larger
/// tensor has its own) and names the files: model.safetensors for one, else
/// model-00001-of-00003.safetensors and so on.
struct ShardPlan {
  std::vector<std::string> files;
  std::vector<std::vector<TensorPlan>> shards;
  std::uint64_t total_bytes = 0;  ///< size of all files, headers and index included
};
ShardPlan plan_shards(std::vector<TensorPlan> tensors, std::uint64_t shard_bytes = kShardBytes);

inline constexpr const char* kShardIndex = "model.safetensors.index.json";

/// The name of shard `index`, counted from 0, of `count`.
std::string shard_file(std::int64_t index, std::int64_t count);

/// The index of shards that hold `total_bytes` of tensors: the file of each tensor.
std::string shard_index(const std::map<std::string, std::string>& files, std::uint64_t total_bytes);

/// Writes model.safetensors.index.json of a plan with several shards; none for one shard.
std::vector<FolderFile> write_shard_index(const std::filesystem::path& folder,
                                          const ShardPlan& plan);

/// Writes the shards of a plan of these tensors into an existing folder, and no index.
std::vector<FolderFile> write_safetensors_shards(const std::filesystem::path& folder,
                                                 std::span<const NamedTensor> tensors,
                                                 const ShardPlan& plan,
                                                 const Between& between = {});

/// Writes model.safetensors, or shards and their index, into an existing folder.
std::vector<FolderFile> write_safetensors_folder(const std::filesystem::path& folder,
                                                 std::span<const NamedTensor> tensors,
                                                 std::uint64_t shard_bytes = kShardBytes,
                                                 const Between& between = {});

}  // namespace tessera
