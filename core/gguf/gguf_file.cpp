// SPDX-License-Identifier: MIT
#include "core/gguf/gguf_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <fstream>

#include "core/base/error.h"
#include "core/base/mistaken_file.h"
#include "core/gguf/blocks.h"

namespace tessera {

static_assert(std::endian::native == std::endian::little, "the files are little-endian");

namespace {
constexpr const char* kFetchAgain = "the file is damaged or incomplete: fetch or copy it again";
constexpr std::string_view kMagic = "GGUF";
constexpr std::uint32_t kOldest = 2, kNewest = 3;
constexpr std::uint64_t kUsualAlignment = 32;
constexpr std::uint32_t kMostDimensions = 4;
/// The fewest bytes that a value and a tensor take: their counts are checked with them.
constexpr std::uint64_t kLeastValueBytes = 8 + 4 + 1, kLeastTensorBytes = 8 + 4 + 4 + 8;

/// Bytes of a number; 0: a text or a list.
std::uint64_t width_of(GgufKind kind) {
  switch (kind) {
    case GgufKind::U8:
    case GgufKind::I8:
    case GgufKind::Bool:
      return 1;
    case GgufKind::U16:
    case GgufKind::I16:
      return 2;
    case GgufKind::U32:
    case GgufKind::I32:
    case GgufKind::F32:
      return 4;
    case GgufKind::U64:
    case GgufKind::I64:
    case GgufKind::F64:
      return 8;
    default:
      return 0;
  }
}

/// The bytes of a file from front to back. Errors tell where.
class Cursor {
 public:
  Cursor(std::span<const std::byte> file, const std::string& where) : file_(file), where_(where) {}

  std::uint64_t at() const { return at_; }
  std::uint64_t left() const { return file_.size() - at_; }
  const std::string& where() const { return where_; }

  [[noreturn]] void damaged(const std::string& what) const {
    throw Error(where_, fmt::format("{} (at byte {})", what, at_), kFetchAgain);
  }

  std::span<const std::byte> take(std::uint64_t bytes, const std::string& what) {
    if (bytes > left()) {
      damaged(fmt::format("is cut short: {} needs {} bytes, and {} are left", what, bytes, left()));
    }
    const auto part = file_.subspan(at_, bytes);
    at_ += bytes;
    return part;
  }

  template <class Number>
  Number number(const std::string& what) {
    Number value;
    std::memcpy(&value, take(sizeof(value), what).data(), sizeof(value));
    return value;
  }

  std::string_view text(const std::string& what) {
    const auto bytes = number<std::uint64_t>("the length of " + what);
    const auto part = take(bytes, what);
    return {reinterpret_cast<const char*>(part.data()), part.size()};
  }

 private:
  std::span<const std::byte> file_;
  const std::string& where_;
  std::uint64_t at_ = 0;
};

GgufKind read_kind(Cursor& cursor, const std::string& key) {
  const auto number = cursor.number<std::uint32_t>("the kind of " + key);
  if (number > static_cast<std::uint32_t>(GgufKind::F64)) {
    cursor.damaged(fmt::format("{} has the kind {}, and there are 0 to 12", key, number));
  }
  return static_cast<GgufKind>(number);
}

GgufList read_list(Cursor& cursor, const std::string& key) {
  GgufList list;
  list.kind = read_kind(cursor, key);
  list.count = cursor.number<std::uint64_t>("the length of " + key);
  if (list.kind == GgufKind::List) cursor.damaged(key + " is a list of lists, which no key has");
  const std::uint64_t width = width_of(list.kind);
  const std::uint64_t least = width > 0 ? width : 8;  // a text begins with its length
  if (list.count > cursor.left() / least) {
    cursor.damaged(fmt::format("{} has {} elements, more than the {} bytes that are left hold", key,
                               list.count, cursor.left()));
  }
  if (width > 0) {
    list.numbers = cursor.take(list.count * width, key);
  } else {
    constexpr std::uint64_t kUsualTexts = 1 << 18;  // a count is not believed before it is seen
    list.texts.reserve(std::min(list.count, kUsualTexts));
    for (std::uint64_t i = 0; i < list.count; ++i) {
      list.texts.push_back(cursor.text(fmt::format("element {} of {}", i, key)));
    }
  }
  return list;
}

GgufValue read_value(Cursor& cursor, const std::string& key) {
  switch (read_kind(cursor, key)) {
    case GgufKind::U8:
      return std::uint64_t{cursor.number<std::uint8_t>(key)};
    case GgufKind::U16:
      return std::uint64_t{cursor.number<std::uint16_t>(key)};
    case GgufKind::U32:
      return std::uint64_t{cursor.number<std::uint32_t>(key)};
    case GgufKind::U64:
      return cursor.number<std::uint64_t>(key);
    case GgufKind::I8:
      return std::int64_t{cursor.number<std::int8_t>(key)};
    case GgufKind::I16:
      return std::int64_t{cursor.number<std::int16_t>(key)};
    case GgufKind::I32:
      return std::int64_t{cursor.number<std::int32_t>(key)};
    case GgufKind::I64:
      return cursor.number<std::int64_t>(key);
    case GgufKind::F32:
      return double{cursor.number<float>(key)};
    case GgufKind::F64:
      return cursor.number<double>(key);
    case GgufKind::Text:
      return cursor.text(key);
    case GgufKind::List:
      return read_list(cursor, key);
    case GgufKind::Bool:
      break;
  }
  const auto byte = cursor.number<std::uint8_t>(key);
  if (byte > 1) cursor.damaged(fmt::format("{} is {}, and neither true nor false", key, byte));
  return byte == 1;
}

struct Counts {
  std::uint64_t tensors = 0, values = 0;
};

Counts read_start(Cursor& cursor) {
  if (cursor.left() < kMagic.size()) cursor.damaged("is shorter than the word GGUF");
  const auto magic = cursor.take(kMagic.size(), "the word GGUF");
  if (std::memcmp(magic.data(), kMagic.data(), kMagic.size()) != 0) {
    throw Error(cursor.where(), "does not begin with the word GGUF: this is no GGUF file");
  }
  const auto version = cursor.number<std::uint32_t>("the version");
  if (version != 0 && (version & 0xffffu) == 0) {
    throw Error(cursor.where(), "is written for machines with the other order of bytes",
                "use the little-endian file of the model");
  }
  if (version < kOldest || version > kNewest) {
    throw Error(cursor.where(),
                fmt::format("has version {} of the format; versions {} and {} are read", version,
                            kOldest, kNewest),
                version < kOldest ? "use a newer file of the model" : "");
  }
  Counts counts;
  counts.tensors = cursor.number<std::uint64_t>("the number of tensors");
  counts.values = cursor.number<std::uint64_t>("the number of keys");
  const bool fits = counts.tensors <= cursor.left() / kLeastTensorBytes &&
                    counts.values <= cursor.left() / kLeastValueBytes;
  if (!fits) {
    cursor.damaged(fmt::format("tells of {} tensors and {} keys, more than its {} bytes can hold",
                               counts.tensors, counts.values, cursor.left()));
  }
  return counts;
}

void read_values(Cursor& cursor, std::uint64_t count, GgufContents& contents) {
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::string key(cursor.text(fmt::format("key {}", i)));
    if (key.empty()) cursor.damaged(fmt::format("key {} has no name", i));
    GgufValue value = read_value(cursor, "key \"" + key + "\"");
    if (!contents.values.emplace(key, std::move(value)).second) {
      cursor.damaged(fmt::format("the key \"{}\" comes twice", key));
    }
  }
}

std::uint64_t alignment_of(const Cursor& cursor, const GgufContents& contents) {
  const auto found = contents.values.find("general.alignment");
  if (found == contents.values.end()) return kUsualAlignment;
  const auto* value = std::get_if<std::uint64_t>(&found->second);
  if (!value || *value < 8 || *value > (1u << 30) || !std::has_single_bit(*value)) {
    cursor.damaged("general.alignment is no power of two from 8 on");
  }
  return *value;
}

/// A row of the table of tensors; `offset` counts from the begin of the tensors' bytes.
struct TensorRow {
  GgufTensor tensor;
  std::uint64_t offset = 0, bytes = 0;
};

/// Bytes of a tensor. Throws where the product overflows or a row is no whole blocks.
std::uint64_t bytes_of_row(const Cursor& cursor, const GgufTensor& tensor) {
  const GgufTypeInfo& info = info_of(tensor.type);
  if (tensor.columns() % info.block != 0) {
    cursor.damaged(fmt::format("the tensor \"{}\" is {}, and its rows are no whole blocks of {}",
                               tensor.name, tensor.describe(), info.block));
  }
  std::uint64_t bytes = static_cast<std::uint64_t>(tensor.columns() / info.block);
  bool fits = !__builtin_mul_overflow(bytes, std::uint64_t{info.bytes}, &bytes);
  for (std::size_t dim = 0; fits && dim + 1 < tensor.shape.size(); ++dim) {
    fits = !__builtin_mul_overflow(bytes, static_cast<std::uint64_t>(tensor.shape[dim]), &bytes);
  }
  if (!fits || bytes > (std::uint64_t{1} << 62)) {
    cursor.damaged(
        fmt::format("the tensor \"{}\" is too large: {}", tensor.name, tensor.describe()));
  }
  return bytes;
}

TensorRow read_tensor(Cursor& cursor, std::uint64_t index) {
  TensorRow row;
  GgufTensor& tensor = row.tensor;
  tensor.name = cursor.text(fmt::format("the name of tensor {}", index));
  const std::string what = fmt::format("the tensor \"{}\"", tensor.name);
  if (tensor.name.empty()) cursor.damaged(fmt::format("tensor {} has no name", index));
  const auto dimensions = cursor.number<std::uint32_t>("the dimensions of " + what);
  if (dimensions < 1 || dimensions > kMostDimensions) {
    cursor.damaged(fmt::format("{} has {} dimensions, expected 1 to 4", what, dimensions));
  }
  for (std::uint32_t dim = 0; dim < dimensions; ++dim) {
    const auto extent = cursor.number<std::uint64_t>("the shape of " + what);
    if (extent < 1 || extent > (std::uint64_t{1} << 62)) {
      cursor.damaged(fmt::format("{} has the extent {}", what, extent));
    }
    tensor.shape.insert(tensor.shape.begin(), static_cast<std::int64_t>(extent));
  }
  const auto number = cursor.number<std::uint32_t>("the type of " + what);
  const GgufTypeInfo* info = find_gguf_type(number);
  if (!info) {
    throw Error(
        cursor.where(),
        fmt::format("{} is of the type {}, which is not read", what, gguf_type_name(number)),
        "use the model's file in BF16, F16, Q8_0, Q6_K, Q5_K or Q4_K");
  }
  tensor.type = info->type;
  row.offset = cursor.number<std::uint64_t>("the place of " + what);
  row.bytes = bytes_of_row(cursor, tensor);
  return row;
}

/// Says of a file that ended early that it did, and not tensor by tensor.
void check_tensor_places(const Cursor& cursor, std::vector<TensorRow>& rows, std::uint64_t data_at,
                         std::uint64_t file_bytes, std::uint64_t alignment) {
  std::uint64_t end = 0;
  for (const TensorRow& row : rows) {
    if (row.offset > (std::uint64_t{1} << 62)) {
      cursor.damaged(fmt::format("the tensor \"{}\" lies at byte {}", row.tensor.name, row.offset));
    }
    end = std::max(end, row.offset + row.bytes);
  }
  if (!rows.empty() && (data_at > file_bytes || end > file_bytes - data_at)) {
    throw Error(cursor.where(),
                fmt::format("is cut short: it has {} bytes, and its header tells of {}", file_bytes,
                            data_at + end),
                kFetchAgain);
  }
  std::sort(rows.begin(), rows.end(),
            [](const TensorRow& a, const TensorRow& b) { return a.offset < b.offset; });
  std::uint64_t reached = 0;
  for (const TensorRow& row : rows) {
    if (row.offset % alignment != 0) {
      cursor.damaged(
          fmt::format("the tensor \"{}\" begins at byte {} of the data, which is no "
                      "multiple of {}",
                      row.tensor.name, row.offset, alignment));
    }
    if (row.offset < reached) {
      cursor.damaged(
          fmt::format("the tensor \"{}\" begins at byte {} of the data, before the end "
                      "of the one before it, {}",
                      row.tensor.name, row.offset, reached));
    }
    reached = row.offset + row.bytes;
  }
}
}  // namespace

GgufContents parse_gguf(std::span<const std::byte> file, const std::string& where) {
  constexpr std::size_t kStart = 512;
  const std::string_view start{reinterpret_cast<const char*>(file.data()),
                               std::min(file.size(), kStart)};
  if (!start.starts_with(kMagic)) refuse_mistaken_content(where, start);
  Cursor cursor(file, where);
  const Counts counts = read_start(cursor);
  GgufContents contents;
  read_values(cursor, counts.values, contents);
  const std::uint64_t alignment = alignment_of(cursor, contents);
  std::vector<TensorRow> rows;
  for (std::uint64_t i = 0; i < counts.tensors; ++i) rows.push_back(read_tensor(cursor, i));
  const std::uint64_t data_at = (cursor.at() + alignment - 1) / alignment * alignment;
  check_tensor_places(cursor, rows, data_at, file.size(), alignment);
  for (TensorRow& row : rows) {
    row.tensor.bytes = file.subspan(data_at + row.offset, row.bytes);
    const std::string name = row.tensor.name;
    if (!contents.tensors.emplace(name, std::move(row.tensor)).second) {
      cursor.damaged(fmt::format("the tensor \"{}\" comes twice", name));
    }
  }
  return contents;
}

std::int64_t GgufTensor::columns() const {
  return shape.back();
}

std::int64_t GgufTensor::rows() const {
  std::int64_t count = 1;
  for (std::size_t dim = 0; dim + 1 < shape.size(); ++dim) count *= shape[dim];
  return count;
}

std::string GgufTensor::describe() const {
  return fmt::format("{}({})", info_of(type).name, fmt::join(shape, ", "));
}

void GgufTensor::read_rows(std::int64_t first, std::int64_t count, float* to) const {
  const GgufTypeInfo& info = info_of(type);
  const std::int64_t row_bytes = columns() / info.block * static_cast<std::int64_t>(info.bytes);
  decode_blocks(type, bytes.data() + first * row_bytes, count * columns(), to);
}

struct GgufFile::Mapping {
  void* data = nullptr;
  std::size_t bytes = 0;

  explicit Mapping(const std::filesystem::path& path) {
    refuse_dangling_link(path);
    const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) {
      throw Error(path.string(), fmt::format("cannot open: {}", std::strerror(errno)));
    }
    struct stat status {};
    const bool is_file = ::fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode);
    if (is_file && status.st_size > 0) {
      bytes = static_cast<std::size_t>(status.st_size);
      data = ::mmap(nullptr, bytes, PROT_READ, MAP_PRIVATE, descriptor, 0);
    }
    const int code = errno;
    ::close(descriptor);
    if (!is_file) throw Error(path.string(), "is not a file");
    if (status.st_size == 0) throw Error(path.string(), "the file is empty", kFetchAgain);
    if (data == MAP_FAILED) {
      throw Error(path.string(), fmt::format("cannot map: {}", std::strerror(code)));
    }
  }
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  ~Mapping() {
    if (data) ::munmap(data, bytes);
  }
  std::span<const std::byte> span() const { return {static_cast<const std::byte*>(data), bytes}; }
};

GgufFile::GgufFile(std::filesystem::path path)
    : path_(std::move(path)), mapping_(std::make_shared<const Mapping>(path_)) {
  contents_ = parse_gguf(mapping_->span(), path_.string());
}

const GgufTensor* GgufFile::find(std::string_view name) const {
  const auto found = contents_.tensors.find(name);
  return found == contents_.tensors.end() ? nullptr : &found->second;
}

const GgufTensor& GgufFile::at(std::string_view name) const {
  if (const GgufTensor* tensor = find(name)) return *tensor;
  throw Error(path_.string(), fmt::format("holds no tensor \"{}\"", name));
}

bool is_gguf(const std::filesystem::path& path) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) return false;
  std::ifstream file(path, std::ios::binary);
  std::string start(kMagic.size(), '\0');
  file.read(start.data(), static_cast<std::streamsize>(start.size()));
  return (file && start == kMagic) || path.extension() == ".gguf";
}

}  // namespace tessera
