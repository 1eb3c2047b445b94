// SPDX-License-Identifier: MIT
// A small checkpoint whose every byte depends on its step, and the check that it came back whole.
#pragma once

#include "core/checkpoint/checkpoint.h"
#include "tests/checkpoint/checkpoint_testing.h"

namespace tessera::testing {

struct SmallCheckpoint {
  Tensors memory;
  CheckpointContents contents;

  explicit SmallCheckpoint(std::int64_t step, std::int64_t rows = 40) {
    const auto seed = static_cast<std::uint64_t>(step) * 10;
    contents.step = step;
    contents.config.eos_token_ids = {2};
    contents.weights = {{"model.norm.weight", memory.make(DType::F32, {37}, seed + 1)},
                        {"lm_head.weight", memory.make(DType::F32, {rows, 64}, seed + 2)},
                        {"half", memory.make(DType::BF16, {3, 5}, seed + 3)}};
    contents.optimiser = {{"m.lm_head.weight", memory.make(DType::BF16, {rows, 64}, seed + 4)},
                          {"v.lm_head.weight", memory.make(DType::F32, {rows, 64}, seed + 5)},
                          {"count", memory.make(DType::I64, {2}, seed + 6)}};
    contents.state = {{"step", step}, {"rng", {1, 18446744073709551615ull, 3}}, {"loss", 0.1}};
  }
};

/// Tensors like `like`, filled by `read`, must equal them bit for bit.
template <class Read>
void expect_read_back(const std::vector<NamedTensor>& like, Read&& read) {
  std::vector<std::vector<std::byte>> memory;
  std::vector<NamedTensor> into;
  for (const NamedTensor& tensor : like) {
    auto& bytes = memory.emplace_back(tensor.data.bytes());
    Tensor view(bytes.data(), tensor.data.dtype(), {tensor.data.numel()});
    if (tensor.data.rank() == 2) view = view.reshape({tensor.data.size(0), tensor.data.size(1)});
    into.push_back({tensor.name, view});
  }
  read(into);
  for (std::size_t i = 0; i < like.size(); ++i) {
    EXPECT_TRUE(same_bytes(into[i].data, like[i].data)) << like[i].name;
  }
}

inline void expect_whole(const fs::path& path, std::int64_t step, std::int64_t rows = 40) {
  const SmallCheckpoint expected(step, rows);
  const Checkpoint read(path);
  EXPECT_EQ(read.step(), step);
  EXPECT_EQ(read.state(), expected.contents.state);
  EXPECT_EQ(read.config().eos_token_ids, (std::vector<std::int64_t>{2}));
  expect_read_back(expected.contents.weights, [&](auto& into) { read.read_weights(into); });
  expect_read_back(expected.contents.optimiser, [&](auto& into) { read.read_optimiser(into); });
}

inline fs::path save_step(const fs::path& run, std::int64_t step, const SaveOptions& options = {}) {
  return save_checkpoint(run, SmallCheckpoint(step).contents, options);
}

inline std::vector<std::int64_t> steps_of(const fs::path& run) {
  std::vector<std::int64_t> steps;
  for (const CheckpointInfo& info : list_checkpoints(run)) steps.push_back(info.step);
  return steps;
}

/// Names in the folder of checkpoints, sorted.
inline std::vector<std::string> names_in(const fs::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) {
    names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace tessera::testing
