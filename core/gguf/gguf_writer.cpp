// SPDX-License-Identifier: MIT
#include "core/gguf/gguf_writer.h"

#include <limits>
#include <set>

#include "core/base/error.h"
#include "core/gguf/gguf_file.h"

namespace tessera {

namespace {
constexpr std::uint64_t kDataAlignment = 32;

std::uint64_t aligned(std::uint64_t bytes) {
  return (bytes + kDataAlignment - 1) / kDataAlignment * kDataAlignment;
}

template <class Number>
void append_number(std::string& bytes, Number value) {
  bytes.append(reinterpret_cast<const char*>(&value), sizeof(value));
}

void append_text(std::string& bytes, std::string_view text) {
  append_number(bytes, std::uint64_t{text.size()});
  bytes += text;
}

/// All that stands before the tensors, padding included.
std::string compose_gguf_header(const GgufMetadata& metadata,
                                const std::vector<GgufTensorPlan>& plan) {
  std::string header = "GGUF";
  append_number(header, std::uint32_t{3});
  append_number(header, std::uint64_t{plan.size()});
  append_number(header, metadata.count());
  header += metadata.bytes();
  std::set<std::string_view> names;
  std::uint64_t offset = 0;
  for (const GgufTensorPlan& tensor : plan) {
    require(names.insert(tensor.name).second, "gguf", "two tensors have the name \"{}\"",
            tensor.name);
    append_text(header, tensor.name);
    append_number(header, static_cast<std::uint32_t>(tensor.shape.size()));
    for (auto extent = tensor.shape.rbegin(); extent != tensor.shape.rend(); ++extent) {
      append_number(header, static_cast<std::uint64_t>(*extent));
    }
    append_number(header, static_cast<std::uint32_t>(tensor.type));
    append_number(header, offset);
    offset += aligned(tensor.bytes());
  }
  header.resize(aligned(header.size()), '\0');
  return header;
}
}  // namespace

template <class Number>
void GgufMetadata::put(Number value) {
  append_number(bytes_, value);
}

void GgufMetadata::put_text(std::string_view text) {
  append_text(bytes_, text);
}

void GgufMetadata::begin(std::string_view key, std::uint32_t kind) {
  put_text(key);
  put(kind);
  ++count_;
}

void GgufMetadata::add(std::string_view key, std::uint32_t value) {
  begin(key, static_cast<std::uint32_t>(GgufKind::U32));
  put(value);
}

void GgufMetadata::add(std::string_view key, float value) {
  begin(key, static_cast<std::uint32_t>(GgufKind::F32));
  put(value);
}

void GgufMetadata::add(std::string_view key, bool value) {
  begin(key, static_cast<std::uint32_t>(GgufKind::Bool));
  put(static_cast<std::uint8_t>(value ? 1 : 0));
}

void GgufMetadata::add(std::string_view key, std::string_view text) {
  begin(key, static_cast<std::uint32_t>(GgufKind::Text));
  put_text(text);
}

void GgufMetadata::add(std::string_view key, const std::vector<std::string>& texts) {
  begin(key, static_cast<std::uint32_t>(GgufKind::List));
  put(static_cast<std::uint32_t>(GgufKind::Text));
  put(std::uint64_t{texts.size()});
  for (const std::string& text : texts) put_text(text);
}

void GgufMetadata::add(std::string_view key, const std::vector<std::int32_t>& numbers) {
  begin(key, static_cast<std::uint32_t>(GgufKind::List));
  put(static_cast<std::uint32_t>(GgufKind::I32));
  put(std::uint64_t{numbers.size()});
  for (const std::int32_t number : numbers) put(number);
}

void GgufMetadata::add(std::string_view key, const std::vector<float>& numbers) {
  begin(key, static_cast<std::uint32_t>(GgufKind::List));
  put(static_cast<std::uint32_t>(GgufKind::F32));
  put(std::uint64_t{numbers.size()});
  for (const float number : numbers) put(number);
}

void GgufMetadata::add_count(std::string_view key, std::int64_t value) {
  if (value < 0 || value > std::numeric_limits<std::uint32_t>::max()) {
    throw Error("gguf", fmt::format("{} is {}, and the format holds 0 to 2^32 - 1", key, value));
  }
  add(key, static_cast<std::uint32_t>(value));
}

std::uint64_t GgufTensorPlan::bytes() const {
  const GgufTypeInfo& info = info_of(type);
  require(!shape.empty() && shape.back() % info.block == 0, "gguf",
          "the rows of \"{}\" are no whole blocks of {}", name, info.name);
  std::uint64_t total = static_cast<std::uint64_t>(shape.back() / info.block) * info.bytes;
  for (std::size_t dim = 0; dim + 1 < shape.size(); ++dim) {
    total *= static_cast<std::uint64_t>(shape[dim]);
  }
  return total;
}

std::uint64_t GgufWriter::file_bytes(const GgufMetadata& metadata,
                                     const std::vector<GgufTensorPlan>& plan) {
  std::uint64_t bytes = compose_gguf_header(metadata, plan).size();
  for (const GgufTensorPlan& tensor : plan) bytes += aligned(tensor.bytes());
  return bytes;
}

GgufWriter::GgufWriter(std::filesystem::path path, const GgufMetadata& metadata,
                       std::vector<GgufTensorPlan> plan)
    : plan_(std::move(plan)), file_(std::move(path)) {
  file_.write(compose_gguf_header(metadata, plan_));
}

void GgufWriter::append(std::span<const std::byte> bytes) {
  require(current_ < plan_.size(), "gguf", "more tensors than were planned");
  const std::uint64_t wanted = plan_[current_].bytes();
  current_bytes_ += bytes.size();
  require(current_bytes_ <= wanted, "gguf", "the tensor \"{}\" has more bytes than were planned",
          plan_[current_].name);
  file_.write(bytes.data(), bytes.size());
  if (current_bytes_ == wanted) pad();
}

void GgufWriter::pad() {
  const std::string zeros(aligned(current_bytes_) - current_bytes_, '\0');
  file_.write(zeros);
  ++current_;
  current_bytes_ = 0;
}

WrittenFile GgufWriter::finish() {
  require(current_ == plan_.size(), "gguf", "the tensor \"{}\" was not written whole",
          current_ < plan_.size() ? plan_[current_].name : "");
  return file_.finish();
}

}  // namespace tessera
