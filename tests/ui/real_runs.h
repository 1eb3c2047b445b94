// SPDX-License-Identifier: MIT
// Runs that are really trained, of a model so small that a step takes milliseconds.
#pragma once

#include <signal.h>
#include <unistd.h>

#include <QDir>
#include <QFileInfo>
#include <QString>
#include <cstdint>
#include <fstream>
#include <string>

#include "core/run/run_folder.h"

namespace tessera::ui::test {

/// A spec of that model, on a text that writeWords() made.
inline QString specText(const QString& textFile, const std::string& name, std::int64_t steps) {
  RunSpec s;
  s.run.name = name;
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
  s.data.sources = {{.name = "words", .domain = "web", .paths = {textFile.toStdString()}}};
  CurriculumStage stage;
  stage.steps = steps;
  stage.sequence_length = 32;
  stage.batch_sequences = 4;
  stage.learning_rate = {{.kind = RateKind::Constant, .to = 1e-3}};
  s.curriculum = {stage};
  s.checkpoint.every_steps = 5;
  s.validation.every_steps = 0;
  s.host.threads = 1;
  return QString::fromStdString(write_spec(s));
}

inline void writeWords(const QString& path) {
  std::ofstream text(path.toStdString());
  const char* kWords[] = {"river", "stone", "light",  "under", "morning", "walks",
                          "a",     "the",   "silent", "green", "and",     "over",
                          "house", "field", "cold",   "bright"};
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

/// Ends the trainers of all runs in a folder, at the end of a test.
inline void killRuns(const QString& runs) {
  for (const QFileInfo& run : QDir(runs).entryInfoList(QDir::Dirs | QDir::NoDotAndDotDot)) {
    if (!RunFolder::is_run(run.filePath().toStdString())) continue;
    const auto process = process_of(RunFolder::open(run.filePath().toStdString()));
    // This process itself holds the lock of some.
    if (process && process->pid != ::getpid() && liveness_of(*process) == Liveness::Alive) {
      ::kill(static_cast<pid_t>(process->pid), SIGKILL);
    }
  }
}

}  // namespace tessera::ui::test
