// SPDX-License-Identifier: MIT
// A model of some ten thousand random weights with a vocabulary of its own, in memory and as
// folders: for tests of chat from the engine to the window.
#pragma once

#include <unistd.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "core/checkpoint/checkpoint.h"
#include "core/checkpoint/model_io.h"
#include "core/model/model.h"
#include "core/tokenizer/train.h"

namespace tessera::test {

inline std::shared_ptr<const Tokenizer> tiny_tokenizer() {
  static const std::shared_ptr<const Tokenizer> tokenizer = [] {
    std::vector<std::string> texts;
    for (int i = 0; i < 40; ++i) {
      texts.push_back("The quick brown fox jumps over the lazy dog " + std::to_string(i) +
                      " times.\nThen it rests under the old tree and dreams of rivers.\n");
    }
    TokenizerTrainOptions options;
    options.vocab_size = 512;
    return train_tokenizer(texts, options);
  }();
  return tokenizer;
}

inline ModelConfig tiny_config() {
  ModelConfig c;
  c.vocab_size = tiny_tokenizer()->vocab_size();
  c.hidden_size = 24;
  c.num_hidden_layers = 3;
  c.max_position_embeddings = 1024;
  c.num_attention_heads = 2;
  c.kv_lora_rank = 8;
  c.qk_nope_head_dim = 8;
  c.qk_rope_head_dim = 4;
  c.v_head_dim = 8;
  c.first_k_dense_replace = 1;
  c.intermediate_size = 32;
  c.moe_intermediate_size = 8;
  c.n_routed_experts = 8;
  c.num_experts_per_tok = 3;
  c.initializer_range = 0.3;
  return c;
}

/// Removed with everything in it when the test ends.
struct ScratchFolder {
  std::filesystem::path path;

  ScratchFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "tessera-chat-XXXXXX").string();
    if (!::mkdtemp(name.data())) throw std::runtime_error("mkdtemp");
    path = name;
  }
  ScratchFolder(const ScratchFolder&) = delete;
  ~ScratchFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
};

/// A folder in the released format; such models know turns of a conversation.
inline void write_released_model(const std::filesystem::path& folder, std::uint64_t seed = 1,
                                 ModelConfig config = tiny_config()) {
  Model model(config, Precision{}, false, Device::Cpu);
  model.initialise(seed);
  const ScratchFolder scratch;
  tiny_tokenizer()->save(scratch.path);
  HfConfig written;
  written.model = config;
  export_folder(folder, written, released_weights(model),
                {.dtype = DType::F32, .files = {scratch.path / "tokenizer.model"}});
}

/// A checkpoint of a run; such models only continue text.
inline std::filesystem::path write_checkpoint(const std::filesystem::path& run, std::int64_t step) {
  const ModelConfig config = tiny_config();
  Model model(config, Precision{}, false, Device::Cpu);
  model.initialise(static_cast<std::uint64_t>(step));
  const ScratchFolder scratch;
  tiny_tokenizer()->save(scratch.path);
  CheckpointContents contents;
  contents.step = step;
  contents.config.model = config;
  contents.weights = released_weights(model);
  contents.state = {{"step", step}};
  contents.files = {scratch.path / "tokenizer.model"};
  return save_checkpoint(run, contents);
}

}  // namespace tessera::test
