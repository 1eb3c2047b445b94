// SPDX-License-Identifier: MIT
#include <cstring>
#include <nlohmann/json.hpp>
#include <set>

#include "core/checkpoint/internal.h"
#include "core/checkpoint/safetensors.h"

namespace tessera {

namespace {
constexpr std::size_t kStagingBytes = 1u << 18;

/// The 8 bytes of length and the header, padded with spaces so that the data begins on a multiple
/// of 8, as the format's own writer does.
std::string compose_header(const std::vector<TensorPlan>& plan,
                           const SafetensorsMetadata& metadata) {
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  std::set<std::string_view> names;
  std::uint64_t at = 0;
  for (const TensorPlan& tensor : plan) {
    require(!tensor.name.empty() && tensor.name != "__metadata__", "safetensors",
            "a tensor cannot have the name \"{}\"", tensor.name);
    require(names.insert(tensor.name).second, "safetensors", "two tensors have the name \"{}\"",
            tensor.name);
    const std::uint64_t end = at + tensor.bytes();
    header.push_back(
        {tensor.name,
         {{"dtype", name_of(tensor.dtype)}, {"shape", tensor.shape}, {"data_offsets", {at, end}}}});
    at = end;
  }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');
  const std::uint64_t length = text.size();
  std::string prefix(sizeof(length), '\0');
  std::memcpy(prefix.data(), &length, sizeof(length));
  return prefix + text;
}

/// Host bytes of `count` elements at `from`, through `staging` when they are on the GPU.
const std::byte* on_host(Device device, const std::byte* from, std::size_t bytes,
                         std::vector<std::byte>& staging) {
  if (device == Device::Cpu) return from;
  staging.resize(bytes);
  checkpoint_internal::copy_bytes(device, staging.data(), from, bytes);
  return staging.data();
}

void write_as(FileWriter& file, DType to, DType from, const std::byte* data, std::size_t count) {
  if (to == from) return file.write(data, count * size_of(from));
  if (to == DType::BF16) {
    std::vector<bf16> rounded(count);
    const auto* values = reinterpret_cast<const float*>(data);
    for (std::size_t i = 0; i < count; ++i) rounded[i] = bf16(values[i]);
    return file.write(rounded.data(), count * sizeof(bf16));
  }
  std::vector<float> widened(count);
  const auto* values = reinterpret_cast<const bf16*>(data);
  for (std::size_t i = 0; i < count; ++i) widened[i] = static_cast<float>(values[i]);
  file.write(widened.data(), count * sizeof(float));
}

bool can_write_as(DType to, DType from) {
  return to == from || (to == DType::BF16 && from == DType::F32) ||
         (to == DType::F32 && from == DType::BF16);
}
}  // namespace

std::uint64_t TensorPlan::bytes() const {
  std::uint64_t bytes = size_of(dtype);
  for (std::int64_t extent : shape) bytes *= static_cast<std::uint64_t>(extent);
  return bytes;
}

std::vector<TensorPlan> plan_of(std::span<const NamedTensor> tensors) {
  std::vector<TensorPlan> plan;
  plan.reserve(tensors.size());
  for (const NamedTensor& tensor : tensors) {
    require(static_cast<bool>(tensor.data), "safetensors", "tensor \"{}\" is absent", tensor.name);
    plan.push_back({tensor.name, tensor.data.dtype(), checkpoint_internal::shape_of(tensor.data)});
  }
  return plan;
}

std::uint64_t SafetensorsWriter::file_bytes(const std::vector<TensorPlan>& plan,
                                            const SafetensorsMetadata& metadata) {
  std::uint64_t bytes = compose_header(plan, metadata).size();
  for (const TensorPlan& tensor : plan) bytes += tensor.bytes();
  return bytes;
}

SafetensorsWriter::SafetensorsWriter(std::filesystem::path path, std::vector<TensorPlan> plan,
                                     const SafetensorsMetadata& metadata)
    : plan_(std::move(plan)), file_(std::move(path)) {
  file_.write(compose_header(plan_, metadata));
}

void SafetensorsWriter::append(const Tensor& part) {
  if (part.numel() == 0) return;
  while (current_ < plan_.size() && current_bytes_ == plan_[current_].bytes()) {
    ++current_;  // done, or empty
    current_bytes_ = 0;
  }
  require(current_ < plan_.size(), "safetensors", "more tensors than were planned: {}",
          part.describe());
  const TensorPlan& tensor = plan_[current_];
  require(can_write_as(tensor.dtype, part.dtype()), "safetensors",
          "tensor \"{}\": {} cannot be written as {}", tensor.name, part.describe(),
          name_of(tensor.dtype));
  current_bytes_ += static_cast<std::uint64_t>(part.numel()) * size_of(tensor.dtype);
  require(current_bytes_ <= tensor.bytes(), "safetensors",
          "tensor \"{}\": {} is more than was planned", tensor.name, part.describe());
  std::vector<std::byte> staging;
  const std::size_t element = size_of(part.dtype());
  checkpoint_internal::for_each_run(part, [&](const std::byte* run, std::int64_t elements) {
    auto left = static_cast<std::size_t>(elements);
    while (left > 0) {
      const std::size_t count = std::min(left, kStagingBytes / element);
      const std::byte* data = on_host(part.device(), run, count * element, staging);
      write_as(file_, tensor.dtype, part.dtype(), data, count);
      run += count * element;
      left -= count;
    }
  });
}

WrittenFile SafetensorsWriter::finish() {
  for (; current_ < plan_.size(); ++current_, current_bytes_ = 0) {
    require(current_bytes_ == plan_[current_].bytes(), "safetensors",
            "tensor \"{}\" was not written whole", plan_[current_].name);
  }
  return file_.finish();
}

WrittenFile write_safetensors(const std::filesystem::path& path,
                              std::span<const NamedTensor> tensors,
                              const SafetensorsMetadata& metadata, const Between& between) {
  SafetensorsWriter writer(path, plan_of(tensors), metadata);
  for (const NamedTensor& tensor : tensors) {
    if (between) between();
    writer.append(tensor.data);
  }
  return writer.finish();
}

}  // namespace tessera
