// SPDX-License-Identifier: MIT
#include "core/checkpoint/safetensors.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>
#include <set>

#include "core/base/error.h"
#include "core/base/mistaken_file.h"
#include "core/checkpoint/internal.h"

namespace tessera {

using nlohmann::json;
static_assert(std::endian::native == std::endian::little, "the format is little-endian");

namespace {
constexpr std::uint64_t kMaxHeaderBytes = 100'000'000;  // the limit of the format's own reader
constexpr const char* kDamaged = "the file is damaged or incomplete: fetch or copy it again";

[[noreturn]] void damaged(const std::string& where, const std::string& what) {
  throw Error(where, what, kDamaged);
}

[[noreturn]] void bad_tensor(const std::string& where, const std::string& name,
                             const std::string& what) {
  damaged(where, fmt::format("tensor \"{}\": {}", name, what));
}

/// nlohmann keeps the last of several equal keys and takes any nesting; this refuses both.
class StrictKeys {
 public:
  explicit StrictKeys(const std::string& where) : where_(where) {}

  bool operator()(int depth, json::parse_event_t event, json& parsed) {
    const bool key_too_deep = event == json::parse_event_t::key && depth > 2;
    if (depth > 3 || key_too_deep) {
      damaged(where_, "the header is nested deeper than the format allows");
    }
    if (event == json::parse_event_t::object_start && depth < 2) {
      seen_[static_cast<std::size_t>(depth)].clear();
    }
    if (event == json::parse_event_t::key) {
      const std::string& key = parsed.get_ref<const std::string&>();
      if (!seen_[static_cast<std::size_t>(depth - 1)].insert(key).second) {
        damaged(where_, fmt::format("the key \"{}\" comes twice in the header", key));
      }
    }
    return true;
  }

 private:
  const std::string& where_;
  std::array<std::set<std::string>, 2> seen_;
};

json parse_header(std::string_view text, const std::string& where) {
  if (text.empty() || text.front() != '{') {
    damaged(where, "the header does not begin with {: this is not a safetensors file");
  }
  try {
    // By reference: the parser copies its callback.
    StrictKeys strict(where);
    return json::parse(text.begin(), text.end(), std::ref(strict));
  } catch (const json::exception& error) {
    damaged(where, fmt::format("the header is not JSON: {}", error.what()));
  }
}

SafetensorsMetadata read_metadata(const json& value, const std::string& where) {
  if (!value.is_object()) damaged(where, "__metadata__ is not an object");
  SafetensorsMetadata metadata;
  for (const auto& [key, text] : value.items()) {
    if (!text.is_string()) {
      damaged(where, fmt::format("__metadata__ \"{}\" is not a string", key));
    }
    metadata.emplace(key, text.get<std::string>());
  }
  return metadata;
}

std::uint64_t read_count(const json& value, const std::string& where, const std::string& name,
                         const char* what) {
  // NOTE: up to 2^62, so that sums and casts to signed numbers cannot overflow.
  if (!value.is_number_unsigned() || value.get<std::uint64_t>() > (1ull << 62)) {
    bad_tensor(where, name, fmt::format("{} is not a count: {}", what, value.dump()));
  }
  return value.get<std::uint64_t>();
}

struct Extent {
  std::uint64_t begin = 0, end = 0;
};

struct Entry {
  StoredTensor tensor;
  Extent extent;
};

Extent read_entry(const json& entry, const std::string& where, StoredTensor& tensor) {
  const std::string& name = tensor.name;
  if (!entry.is_object()) bad_tensor(where, name, "its entry is not an object");
  for (const char* key : {"dtype", "shape", "data_offsets"}) {
    if (!entry.contains(key)) bad_tensor(where, name, fmt::format("has no {}", key));
  }
  for (const auto& item : entry.items()) {
    if (item.key() != "dtype" && item.key() != "shape" && item.key() != "data_offsets") {
      bad_tensor(where, name, fmt::format("unknown key \"{}\"", item.key()));
    }
  }
  const json &dtype = entry["dtype"], &shape = entry["shape"], &offsets = entry["data_offsets"];
  if (!dtype.is_string()) bad_tensor(where, name, "dtype is not a string");
  try {
    tensor.dtype = dtype_from_name(dtype.get_ref<const std::string&>());
  } catch (const Error& error) {
    throw Error(where, fmt::format("tensor \"{}\": {}", name, error.what_failed()), error.hint());
  }
  if (!shape.is_array()) bad_tensor(where, name, "shape is not a list");
  for (const json& extent : shape) {
    tensor.shape.push_back(
        static_cast<std::int64_t>(read_count(extent, where, name, "an extent of its shape")));
  }
  if (!offsets.is_array() || offsets.size() != 2) {
    bad_tensor(where, name, "data_offsets is not a list of two");
  }
  return {read_count(offsets[0], where, name, "data_offsets"),
          read_count(offsets[1], where, name, "data_offsets")};
}

/// The bytes that dtype and shape ask for. Throws where the product overflows.
std::uint64_t bytes_wanted(const StoredTensor& tensor, const std::string& where) {
  std::uint64_t bytes = size_of(tensor.dtype);
  for (std::int64_t extent : tensor.shape) {
    if (__builtin_mul_overflow(bytes, static_cast<std::uint64_t>(extent), &bytes)) {
      bad_tensor(where, tensor.name, fmt::format("{} is too large", tensor.describe()));
    }
  }
  return bytes;
}

void check_extent(const StoredTensor& tensor, Extent extent, std::uint64_t data_bytes,
                  const std::string& where) {
  const std::uint64_t wanted = bytes_wanted(tensor, where);
  if (extent.begin > extent.end || extent.end > data_bytes) {
    bad_tensor(where, tensor.name,
               fmt::format("bytes [{}, {}) are not inside the file's {} bytes of data",
                           extent.begin, extent.end, data_bytes));
  }
  if (extent.end - extent.begin != wanted) {
    bad_tensor(where, tensor.name,
               fmt::format("{} needs {} bytes, and has {}", tensor.describe(), wanted,
                           extent.end - extent.begin));
  }
}

/// Tensors in the order of their bytes must follow one another from the first byte to the last.
void check_cover(const std::vector<StoredTensor>& tensors, std::span<const std::byte> data,
                 const std::string& where) {
  std::size_t reached = 0;
  for (const StoredTensor& tensor : tensors) {
    const auto begin = static_cast<std::size_t>(tensor.bytes.data() - data.data());
    if (begin != reached) {
      bad_tensor(where, tensor.name,
                 fmt::format("begins at byte {}, {} the end of the one before it, {}", begin,
                             begin < reached ? "before" : "behind", reached));
    }
    reached += tensor.bytes.size();
  }
  if (reached != data.size()) {
    damaged(where, fmt::format("{} bytes follow the last tensor", data.size() - reached));
  }
}

std::vector<Entry> read_entries(const json& header, const std::string& where,
                                SafetensorsMetadata& metadata) {
  std::vector<Entry> entries;
  for (const auto& [name, value] : header.items()) {
    if (name == "__metadata__") {
      metadata = read_metadata(value, where);
      continue;
    }
    Entry& entry = entries.emplace_back();
    entry.tensor.name = name;
    entry.extent = read_entry(value, where, entry.tensor);
  }
  return entries;
}

/// A download that ended early is the commonest damage: it is told as such, and not tensor by
/// tensor.
void check_length(const std::vector<Entry>& entries, std::uint64_t header_bytes,
                  std::uint64_t file_bytes, const std::string& where) {
  std::uint64_t end = 0;
  for (const Entry& entry : entries) end = std::max(end, entry.extent.end);
  const std::uint64_t expected = 8 + header_bytes + end;
  if (expected <= file_bytes) return;
  damaged(where, fmt::format("is cut short: it has {} bytes, and its header tells of {}",
                             file_bytes, expected));
}

/// Throws where the bytes are of another kind of file.
void refuse_other_kinds(std::span<const std::byte> file, const std::string& where) {
  constexpr std::size_t kStart = 512;
  refuse_mistaken_content(
      where, {reinterpret_cast<const char*>(file.data()), std::min(file.size(), kStart)});
}

std::uint64_t read_header_length(std::span<const std::byte> file, const std::string& where) {
  refuse_other_kinds(file, where);
  std::uint64_t length = 0;
  if (file.size() < sizeof(length)) {
    damaged(where, fmt::format("has {} bytes, and a safetensors file at least 8", file.size()));
  }
  std::memcpy(&length, file.data(), sizeof(length));
  if (length > file.size() - sizeof(length)) {
    damaged(where, fmt::format("its header should have {} bytes, and the file has {}", length,
                               file.size()));
  }
  if (length > kMaxHeaderBytes) {
    damaged(where, fmt::format("its header has {} bytes, more than the format's limit of {}",
                               length, kMaxHeaderBytes));
  }
  return length;
}
}  // namespace

SafetensorsContents parse_safetensors(std::span<const std::byte> file, const std::string& where) {
  const std::uint64_t length = read_header_length(file, where);
  const auto* text = reinterpret_cast<const char*>(file.data() + 8);
  const json header = parse_header({text, length}, where);
  const std::span<const std::byte> data = file.subspan(8 + length);
  SafetensorsContents contents;
  const std::vector<Entry> entries = read_entries(header, where, contents.metadata);
  check_length(entries, length, file.size(), where);
  for (const Entry& entry : entries) {
    check_extent(entry.tensor, entry.extent, data.size(), where);
    StoredTensor& tensor = contents.tensors.emplace_back(entry.tensor);
    tensor.bytes = data.subspan(entry.extent.begin, entry.extent.end - entry.extent.begin);
  }
  // Empty tensors lie before the one that begins at the same byte.
  std::sort(contents.tensors.begin(), contents.tensors.end(),
            [](const StoredTensor& a, const StoredTensor& b) {
              if (a.bytes.data() != b.bytes.data()) return a.bytes.data() < b.bytes.data();
              return a.bytes.size() < b.bytes.size();
            });
  check_cover(contents.tensors, data, where);
  return contents;
}

std::int64_t StoredTensor::numel() const {
  return static_cast<std::int64_t>(bytes.size() / size_of(dtype));
}

std::string StoredTensor::describe() const {
  return fmt::format("{}({})", name_of(dtype), fmt::join(shape, ", "));
}

Tensor StoredTensor::view() const {
  const auto address = reinterpret_cast<std::uintptr_t>(bytes.data());
  require(address % size_of(dtype) == 0, "safetensors",
          "tensor \"{}\": its bytes are not aligned to its elements", name);
  auto* data = const_cast<std::byte*>(bytes.data());
  switch (shape.size()) {
    case 0:
      return Tensor(data, dtype, {1});
    case 1:
      return Tensor(data, dtype, {shape[0]});
    case 2:
      return Tensor(data, dtype, {shape[0], shape[1]});
    case 3:
      return Tensor(data, dtype, {shape[0], shape[1], shape[2]});
    case 4:
      return Tensor(data, dtype, {shape[0], shape[1], shape[2], shape[3]});
    default:
      break;
  }
  throw Error("safetensors",
              fmt::format("tensor \"{}\": {} has more than four dimensions", name, describe()));
}

void StoredTensor::copy_to(const Tensor& to) const {
  require(to.dtype() == dtype && checkpoint_internal::same_shape(shape, to), "safetensors",
          "tensor \"{}\" is {}, expected {}", name, describe(), to.describe());
  const std::byte* from = bytes.data();
  checkpoint_internal::for_each_run(to, [&](std::byte* run, std::int64_t elements) {
    const std::size_t count = static_cast<std::size_t>(elements) * size_of(dtype);
    checkpoint_internal::copy_bytes(to.device(), run, from, count);
    from += count;
  });
}

struct SafetensorsFile::Mapping {
  void* data = nullptr;
  std::size_t bytes = 0;

  explicit Mapping(const std::filesystem::path& path) {
    refuse_dangling_link(path);
    const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) throw Error(path.string(), fmt::format("cannot open: {}", reason()));
    struct stat status {};
    if (::fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode) && status.st_size > 0) {
      bytes = static_cast<std::size_t>(status.st_size);
      data = ::mmap(nullptr, bytes, PROT_READ, MAP_PRIVATE, descriptor, 0);
    }
    const std::string why = reason();
    ::close(descriptor);
    if (S_ISREG(status.st_mode) && status.st_size == 0) damaged(path.string(), "the file is empty");
    if (!S_ISREG(status.st_mode)) throw Error(path.string(), "is not a file");
    if (data == MAP_FAILED) throw Error(path.string(), fmt::format("cannot map: {}", why));
  }
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  ~Mapping() {
    if (data) ::munmap(data, bytes);
  }

  static std::string reason() { return std::strerror(errno); }
  std::span<const std::byte> span() const { return {static_cast<const std::byte*>(data), bytes}; }
};

SafetensorsFile::SafetensorsFile(std::filesystem::path path)
    : path_(std::move(path)), mapping_(std::make_shared<const Mapping>(path_)) {
  contents_ = parse_safetensors(mapping_->span(), path_.string());
  for (std::size_t at = 0; at < contents_.tensors.size(); ++at) {
    index_.emplace(contents_.tensors[at].name, at);
  }
}

const StoredTensor* SafetensorsFile::find(std::string_view name) const {
  const auto found = index_.find(name);
  return found == index_.end() ? nullptr : &contents_.tensors[found->second];
}

const StoredTensor& SafetensorsFile::at(std::string_view name) const {
  if (const StoredTensor* tensor = find(name)) return *tensor;
  std::vector<std::string_view> names;
  for (const StoredTensor& tensor : contents_.tensors) names.push_back(tensor.name);
  throw Error(path_.string(), fmt::format("holds no tensor \"{}\"", name),
              checkpoint_internal::nearest_hint(name, names));
}

}  // namespace tessera
