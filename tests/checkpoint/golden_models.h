// SPDX-License-Identifier: MIT
// The small models of tests/golden/models, which tests/peers/make_models.py makes, as they are and
// as people's folders hold them: with other keys, other names, other types.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>

#include "core/checkpoint/safetensors.h"
#include "tests/build_paths.h"
#include "tests/checkpoint/checkpoint_testing.h"

namespace tessera::testing {

inline fs::path golden_models() {
  return fs::path(TESSERA_SOURCE_DIR) / "tests" / "golden" / "models";
}

/// A golden folder in memory: change it, then write it elsewhere.
class EditableModel {
 public:
  explicit EditableModel(const std::string& name)
      : file_(golden_models() / name / "model.safetensors"),
        config(nlohmann::json::parse(read_file(golden_models() / name / "config.json"))) {
    for (const StoredTensor& tensor : file_.tensors()) add(tensor.name, tensor.view());
  }

  bool has(const std::string& name) const { return find(name) != tensors_.end(); }
  const Tensor& at(const std::string& name) { return find(name)->data; }
  void add(const std::string& name, const Tensor& data) { tensors_.push_back({name, data}); }
  void remove(const std::string& name) { tensors_.erase(find(name)); }
  void remove_if(const std::function<bool(const std::string&)>& unwanted) {
    std::erase_if(tensors_, [&](const NamedTensor& tensor) { return unwanted(tensor.name); });
  }
  void rename(const std::function<std::string(const std::string&)>& to) {
    for (NamedTensor& tensor : tensors_) tensor.name = to(tensor.name);
  }
  /// Values of a tensor of BF16 in another type, which must hold them exactly.
  void store_as(const std::string& name, DType dtype);
  /// The matrices under these names one above the other.
  Tensor stacked(const std::vector<std::string>& names);
  /// All experts of a layer in two tensors, as transformers 5 saves them in its own format.
  void fuse_experts(std::int64_t layer, std::int64_t experts);

  Tensors& memory() { return memory_; }
  const std::vector<NamedTensor>& tensors() const { return tensors_; }
  void write_config(const fs::path& folder) const {
    fs::create_directories(folder);
    write_file(folder / "config.json", config.dump(1));
  }
  void write(const fs::path& folder) const {
    write_config(folder);
    write_safetensors(folder / "model.safetensors", tensors_, kFormatMetadata);
  }

 private:
  std::vector<NamedTensor>::iterator find(const std::string& name) {
    return std::find_if(tensors_.begin(), tensors_.end(),
                        [&](const NamedTensor& tensor) { return tensor.name == name; });
  }
  std::vector<NamedTensor>::const_iterator find(const std::string& name) const {
    return std::find_if(tensors_.begin(), tensors_.end(),
                        [&](const NamedTensor& tensor) { return tensor.name == name; });
  }
  SafetensorsFile file_;
  Tensors memory_;
  std::vector<NamedTensor> tensors_;

 public:
  nlohmann::json config;
};

inline void EditableModel::store_as(const std::string& name, DType dtype) {
  NamedTensor& tensor = *find(name);
  const Tensor from = tensor.data;
  const Tensor to = from.rank() == 1 ? memory_.zeros(dtype, {from.size(0)})
                                     : memory_.zeros(dtype, {from.size(0), from.size(1)});
  for (std::int64_t i = 0; i < from.numel(); ++i) {
    const auto value = static_cast<float>(from.data<bf16>()[i]);
    if (dtype == DType::F64) to.data<double>()[i] = value;
    if (dtype == DType::F32) to.data<float>()[i] = value;
    if (dtype == DType::F16) {
      // BF16 of an exponent that F16 has: 8 of its 11 bits of precision.
      const auto bits = std::bit_cast<std::uint32_t>(value);
      const std::uint32_t magnitude = bits & 0x7fffffffu;
      const std::uint32_t half = magnitude == 0 ? 0 : (magnitude >> 13) - ((127u - 15u) << 10);
      to.data<f16>()[i].bits = static_cast<std::uint16_t>((bits >> 31 << 15) | half);
      ASSERT_EQ(static_cast<float>(to.data<f16>()[i]), value) << name;
    }
  }
  tensor.data = to;
}

inline Tensor EditableModel::stacked(const std::vector<std::string>& names) {
  const Tensor first = at(names.front());
  std::int64_t rows = 0;
  for (const std::string& name : names) rows += at(name).size(0);
  const Tensor stack = memory_.zeros(first.dtype(), {rows, first.size(1)});
  auto* to = static_cast<std::byte*>(stack.raw());
  for (const std::string& name : names) {
    const Tensor& part = at(name);
    std::memcpy(to, part.raw(), part.bytes());
    to += part.bytes();
  }
  return stack;
}

inline void EditableModel::fuse_experts(std::int64_t layer, std::int64_t experts) {
  const std::string prefix = fmt::format("model.layers.{}.mlp.experts.", layer);
  std::vector<std::string> gate_up, down;
  for (std::int64_t e = 0; e < experts; ++e) {
    const std::string expert = prefix + std::to_string(e) + ".";
    gate_up.push_back(expert + "gate_proj.weight");
    gate_up.push_back(expert + "up_proj.weight");
    down.push_back(expert + "down_proj.weight");
  }
  const Tensor both = stacked(gate_up), out = stacked(down);
  remove_if([&](const std::string& name) { return name.starts_with(prefix); });
  add(prefix + "gate_up_proj", both.reshape({experts, both.size(0) / experts, both.size(1)}));
  add(prefix + "down_proj", out.reshape({experts, out.size(0) / experts, out.size(1)}));
}

}  // namespace tessera::testing
