// SPDX-License-Identifier: MIT
// Runs that are really trained, of a model so small that a step takes milliseconds.
#pragma once

#include <signal.h>
#include <unistd.h>

#include <QDir>
#include <QFileInfo>
#include <QString>
#include <string>

#include "core/run/run_folder.h"
#include "tests/train/tiny_run.h"

namespace tessera::ui::test {

/// A spec of that model, on a text that writeWords() made.
inline QString specText(const QString& textFile, const std::string& name, std::int64_t steps) {
  RunSpec s = tiny_run::tiny_spec(textFile.toStdString());
  s.run.name = name;
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
  tiny_run::write_words(path.toStdString());
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
