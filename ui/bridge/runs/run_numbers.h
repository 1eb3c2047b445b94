// SPDX-License-Identifier: MIT
// Every number that a run logged, to a file. Read from the log itself, to its end: what a page
// shows may be behind it. For threads of the background.
#pragma once

#include <QString>
#include <atomic>
#include <filesystem>
#include <memory>

namespace tessera::ui {

enum class NumbersFormat {
  /// One row a step and one column a quantity, named as in `tessera watch --json`; lists have a
  /// column an entry ("max_vio/0"). A validation adds "validation_loss" and "validation/SOURCE" to
  /// the row of its step, -1 before the first. Steps that a resume or a rollback undid are left out
  /// and counted. Numbers stand in their shortest form that reads back the same, what is not one as
  /// "nan" or "inf"; what was not logged is empty.
  Csv,
  /// Every event, in the lines of `tessera watch --json`.
  JsonLines,
};
/// By the end of the name: ".jsonl" or ".json" is JsonLines.
NumbersFormat numbersFormatOf(const QString& file);

struct NumbersWritten {
  QString error;  ///< what went wrong; empty: nothing did
  qint64 rows = 0;
  qint64 undone = 0;  ///< steps and validations that were left out
  QString damage;     ///< part of the log without a readable event; empty: none
  bool cancelled = false;
  /// What a reader of the file should know; empty: nothing.
  QString note() const;
};

/// `log`: a run's events.log. The file is only replaced by a whole one.
NumbersWritten writeRunNumbers(const std::filesystem::path& log, const QString& file,
                               NumbersFormat format,
                               const std::shared_ptr<const std::atomic<bool>>& cancel = {});

}  // namespace tessera::ui
