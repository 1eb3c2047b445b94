// SPDX-License-Identifier: MIT
// What runs of tests train: a model so small that a step takes milliseconds, on made-up text.
#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>

#include "core/run/run_folder.h"

namespace tessera::tiny_run {

/// 200 documents of 120 words out of 16, the same ones every time.
inline void write_words(const std::filesystem::path& file) {
  std::ofstream text(file);
  const char* kWords[] = {"river", "stone", "light",  "under", "morning", "walks",
                          "a",     "the",   "silent", "green", "and",     "over",
                          "house", "field", "bright", "cold"};
  std::uint64_t seed = 1;
  for (int document = 0; document < 200; ++document) {
    text << "{\"text\": \"";
    for (int word = 0; word < 120; ++word) {
      seed = seed * 6364136223846793005ull + 1442695040888963407ull;
      text << kWords[(seed >> 33) % 16] << (word % 12 == 11 ? ". " : " ");
    }
    text << "\"}\n";
  }
}

/// Model, tokenizer and data of a run on a file of write_words(); the curriculum is the test's.
inline RunSpec tiny_spec(const std::filesystem::path& words) {
  RunSpec s;
  s.model.vocab_size = 512;
  s.model.hidden_size = 32;
  s.model.num_hidden_layers = 2;
  s.model.max_position_embeddings = 64;
  s.model.num_attention_heads = 2;
  s.model.kv_lora_rank = 16;
  s.model.qk_nope_head_dim = 16;
  s.model.qk_rope_head_dim = 8;
  s.model.v_head_dim = 16;
  s.model.intermediate_size = 64;
  s.model.moe_intermediate_size = 16;
  s.model.n_routed_experts = 8;
  s.model.num_experts_per_tok = 2;
  s.tokenizer.vocab_size = 512;
  s.data.held_out_fraction = 0.1;
  s.data.filters.deduplicate_near = false;
  s.data.sources = {{.name = "words", .domain = "web", .paths = {words.string()}}};
  return s;
}

}  // namespace tessera::tiny_run
