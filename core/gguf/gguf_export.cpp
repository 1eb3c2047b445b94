// SPDX-License-Identifier: MIT
#include "core/gguf/gguf_export.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <limits>
#include <map>

#include "core/base/error.h"
#include "core/base/files.h"
#include "core/base/memory.h"
#include "core/base/threads.h"
#include "core/checkpoint/checkpoint.h"
#include "core/checkpoint/model_io.h"
#include "core/checkpoint/model_tensors.h"
#include "core/gguf/blocks.h"
#include "core/gguf/gguf_config.h"
#include "core/gguf/gguf_file.h"
#include "core/gguf/gguf_tensors.h"
#include "core/gguf/gguf_vocabulary.h"
#include "core/gguf/gguf_writer.h"
#include "core/model/model.h"

namespace tessera {

namespace fs = std::filesystem;

namespace {
constexpr std::int64_t kChunkNumbers = 4 << 20;

/// The new file as an absolute name beside which a temporary one can stand.
fs::path check_new_file(const fs::path& file) {
  const fs::path target = fs::absolute(file).lexically_normal();
  if (!target.has_filename()) throw Error(file.string(), "names a folder, and no file");
  if (fs::exists(fs::symlink_status(target))) {
    throw Error(target.string(), "is there already", "name a new file, or remove this one first");
  }
  std::error_code code;
  fs::create_directories(target.parent_path(), code);
  if (!fs::is_directory(target.parent_path())) {
    throw Error(target.parent_path().string(),
                fmt::format("cannot create the folder: {}", code.message()));
  }
  return target;
}

/// Rows of a GGUF tensor, as F32, out of a folder of released tensors.
class PlacedRows {
 public:
  PlacedRows(WeightSource& source, const std::map<std::string, TensorPlace>& places,
             const GgufPlace& place, const ModelConfig& config)
      : source_(source), places_(places), place_(place), c_(config) {
    columns_ = place.shape.back();
    for (std::size_t dim = 0; dim + 1 < place.shape.size(); ++dim) rows_ *= place.shape[dim];
  }

  std::int64_t rows() const { return rows_; }

  const std::string& released_at(std::int64_t row) const {
    return place_.released[static_cast<std::size_t>(row / rows_of_part())];
  }

  /// How many rows from `row` on come together: those of one head, or as many of one released
  /// tensor as are convenient.
  std::int64_t run_length(std::int64_t row) const {
    if (place_.layout == GgufPlace::Layout::KeyUp) return c_.kv_lora_rank;
    if (place_.layout == GgufPlace::Layout::ValueUp) return c_.v_head_dim;
    const std::int64_t convenient = std::max<std::int64_t>(kChunkNumbers / columns_, 1);
    return std::min(convenient, rows_of_part() - row % rows_of_part());
  }

  void read(std::int64_t row, std::int64_t count, std::vector<float>& to) {
    to.resize(static_cast<std::size_t>(count * columns_));
    switch (place_.layout) {
      case GgufPlace::Layout::KeyUp:
        return read_keys(row / c_.kv_lora_rank, to);
      case GgufPlace::Layout::ValueUp:
        return read_released(place_.released[0],
                             row / c_.v_head_dim * head_rows() + c_.qk_nope_head_dim, count, to);
      case GgufPlace::Layout::Plain:
        return read_released(released_at(row), row % rows_of_part(), count, to);
    }
  }

 private:
  std::int64_t rows_of_part() const {
    return rows_ / static_cast<std::int64_t>(place_.released.size());
  }
  std::int64_t head_rows() const { return c_.qk_nope_head_dim + c_.v_head_dim; }

  void read_released(const std::string& name, std::int64_t row, std::int64_t count,
                     std::vector<float>& to) {
    const TensorPlace& at = places_.at(name);
    if (at.stored.empty()) {  // a selection bias that the folder leaves out
      std::fill(to.begin(), to.end(), 0.f);
    } else if (at.shape.size() < 2) {
      source_.read_part(at.stored, 0, 0, Tensor(to.data(), DType::F32, {columns_}));
    } else {
      source_.read_part(at.stored, at.first_row + row, 0,
                        Tensor(to.data(), DType::F32, {count, columns_}));
    }
  }

  void read_keys(std::int64_t head, std::vector<float>& to) {
    const std::int64_t nope = c_.qk_nope_head_dim, latent = c_.kv_lora_rank;
    std::vector<float> rows(to.size());
    const TensorPlace& at = places_.at(place_.released[0]);
    source_.read_part(at.stored, at.first_row + head * head_rows(), 0,
                      Tensor(rows.data(), DType::F32, {nope, latent}));
    for (std::int64_t i = 0; i < nope; ++i) {
      for (std::int64_t j = 0; j < latent; ++j) {
        to[static_cast<std::size_t>(j * nope + i)] = rows[static_cast<std::size_t>(i * latent + j)];
      }
    }
  }

  WeightSource& source_;
  const std::map<std::string, TensorPlace>& places_;
  const GgufPlace& place_;
  const ModelConfig& c_;
  std::int64_t rows_ = 1, columns_ = 1;
};

/// What is known of a model before anything is written.
struct GgufOrder {
  HfConfig config;
  std::map<std::string, TensorPlace> found;
  std::vector<GgufPlace> places;
  std::vector<GgufTensorPlan> plan;
  std::vector<std::string> notes;
};

bool is_zero(WeightSource& source, const TensorPlace& bias) {
  if (bias.stored.empty()) return true;
  std::vector<float> values(static_cast<std::size_t>(bias.shape[0]));
  source.read_part(bias.stored, 0, 0, Tensor(values.data(), DType::F32, {bias.shape[0]}));
  return std::all_of(values.begin(), values.end(), [](float value) { return value == 0.f; });
}

/// Gates of DeepSeek-V2 have no selection bias, and files for llama.cpp then have none.
bool needs_biases(WeightSource& source, const GgufOrder& order) {
  const ModelConfig& c = order.config.model;
  if (c.group_score != kernels::GroupScore::Max) return true;
  const std::vector<std::string> names = selection_biases(c);
  return std::any_of(names.begin(), names.end(), [&](const std::string& name) {
    return !is_zero(source, order.found.at(name));
  });
}

GgufOrder find_model(const fs::path& from, WeightSource& source, HfConfig config, GgufType type) {
  GgufOrder order;
  order.notes = config.notes;
  for (std::string& note : notes_for_llama_cpp(config)) order.notes.push_back(std::move(note));
  config.model.num_nextn_predict_layers = 0;
  refuse_what_llama_cpp_cannot(config.model, from.string());
  order.config = config;
  constexpr bool kForTraining = false, kMeasuring = true;
  const Model shapes(config.model, Precision{}, kForTraining, Device::Cpu, kMeasuring);
  ModelTensors found = match_tensors(shapes, config, source, MtpTensors::PassOver);
  for (TensorPlace& place : found.places) order.found.emplace(place.name, place);
  for (std::string& note : found.notes) order.notes.push_back(std::move(note));
  order.places = gguf_places(config.model, needs_biases(source, order));
  for (const GgufPlace& place : order.places) {
    order.plan.push_back({place.name, stored_type(place, type), place.shape});
  }
  return order;
}

GgufMetadata metadata_of(const fs::path& from, const GgufOrder& order, GgufType type,
                         std::vector<std::string>& notes) {
  GgufMetadata metadata;
  add_model_keys(order.config.model, metadata);
  fs::path name = fs::absolute(from).lexically_normal();
  if (!name.has_filename()) name = name.parent_path();
  metadata.add("general.name", name.filename().string());
  metadata.add("general.file_type", gguf_file_type(type));
  metadata.add("general.quantization_version", std::uint32_t{2});
  add_vocabulary_keys(from, order.config, metadata, notes);
  return metadata;
}

/// encode_blocks() of whole rows on all cores: the search of Q4_K takes much longer than reading.
std::int64_t encode_rows(GgufType type, const std::vector<float>& numbers, std::int64_t rows,
                         std::vector<std::byte>& bytes) {
  const GgufTypeInfo& info = info_of(type);
  const std::int64_t columns = std::ssize(numbers) / rows;
  const std::int64_t row_bytes = columns / info.block * static_cast<std::int64_t>(info.bytes);
  bytes.resize(static_cast<std::size_t>(rows * row_bytes));
  constexpr std::int64_t kNone = std::numeric_limits<std::int64_t>::max(), kGrain = 64 << 10;
  std::atomic<std::int64_t> first_bad{kNone};
  parallel_for(rows, std::max<std::int64_t>(kGrain / columns, 1),
               [&](std::int64_t from, std::int64_t to) {
                 const std::int64_t bad =
                     encode_blocks(type, numbers.data() + from * columns, (to - from) * columns,
                                   bytes.data() + from * row_bytes);
                 if (bad < 0) return;
                 const std::int64_t at = from * columns + bad;
                 std::int64_t known = first_bad;
                 while (at < known && !first_bad.compare_exchange_weak(known, at)) {
                 }
               });
  return first_bad == kNone ? -1 : first_bad.load();
}

void write_gguf_tensor(WeightSource& source, const GgufOrder& order, const GgufPlace& place,
                       const GgufTensorPlan& plan, GgufWriter& writer) {
  PlacedRows rows(source, order.found, place, order.config.model);
  const GgufTypeInfo& info = info_of(plan.type);
  const std::int64_t columns = plan.shape.back();
  std::vector<float> numbers;
  std::vector<std::byte> bytes;
  for (std::int64_t row = 0; row < rows.rows();) {
    const std::int64_t count = rows.run_length(row);
    rows.read(row, count, numbers);
    const std::int64_t bad = encode_rows(plan.type, numbers, count, bytes);
    if (bad >= 0) {
      throw Error(source.folder().path().string(),
                  fmt::format("the number {} in row {} of {} ({}) does not fit {}",
                              numbers[static_cast<std::size_t>(bad)], row + bad / columns,
                              place.name, rows.released_at(row), info.name),
                  "BF16 and F32 hold every number: use --type bf16 or f32");
    }
    writer.append(bytes);
    row += count;
  }
}

/// Removes a file at the end of a scope unless it got its name.
struct TemporaryFile {
  fs::path path;
  explicit TemporaryFile(const fs::path& target)
      : path(target.parent_path() /
             fmt::format(".tmp-{}-{}", target.filename().string(), ::getpid())) {
    std::error_code ignored;
    fs::remove(path, ignored);
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  ~TemporaryFile() {
    std::error_code ignored;
    fs::remove(path, ignored);
  }

  /// Never onto a file that somebody has made meanwhile.
  void publish(const fs::path& target) const {
    if (::link(path.c_str(), target.c_str()) != 0 &&
        (fs::exists(target) || ::rename(path.c_str(), target.c_str()) != 0)) {
      throw Error(target.string(), fmt::format("cannot rename {} to it: {}",
                                               path.filename().string(), std::strerror(errno)));
    }
    sync_folder(target.parent_path());
  }
};
}  // namespace

GgufExport export_gguf(const fs::path& from, const fs::path& to, GgufType type) {
  const fs::path target = check_new_file(to);
  if (is_gguf(from)) {
    throw Error(from.string(), "is a GGUF file already",
                "tessera import makes a folder of it, which can be exported as another type");
  }
  if (!fs::is_directory(from)) throw Error(from.string(), "there is no such folder");
  if (fs::exists(from / "manifest.json")) Checkpoint(from, Verify::Hashes);
  HfConfig config = read_hf_config(from);
  WeightSource source(from, config.fp8_block);
  settle_config(config, source);
  GgufOrder order = find_model(from, source, std::move(config), type);
  GgufExport result;
  const GgufMetadata metadata = metadata_of(from, order, type, order.notes);
  require_free_space(target.parent_path(), GgufWriter::file_bytes(metadata, order.plan));
  log_notes(from, order.notes);
  const TemporaryFile temporary(target);
  GgufWriter writer(temporary.path, metadata, order.plan);
  for (std::size_t i = 0; i < order.plan.size(); ++i) {
    write_gguf_tensor(source, order, order.places[i], order.plan[i], writer);
    ++result.tensors[info_of(order.plan[i].type).name];
  }
  result.bytes = writer.finish().bytes;
  temporary.publish(target);
  result.notes = std::move(order.notes);
  return result;
}

}  // namespace tessera
