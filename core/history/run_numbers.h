// SPDX-License-Identifier: MIT
// Every number that a run logged, to a file. Read from the log itself, to its end: what a page
// shows may be behind it. For threads of the background.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

namespace tessera {

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
NumbersFormat numbers_format_of(const std::filesystem::path& file);

struct NumbersWritten {
  std::string error;  ///< what went wrong; empty: nothing did
  std::int64_t rows = 0;
  std::int64_t undone = 0;  ///< steps and validations that were left out
  std::string damage;       ///< part of the log without a readable event; empty: none
  bool cancelled = false;
};

/// `log`: a run's events.log. The file is only replaced by a whole one.
NumbersWritten write_run_numbers(const std::filesystem::path& log,
                                 const std::filesystem::path& file, NumbersFormat format,
                                 const std::shared_ptr<const std::atomic<bool>>& cancel = {});

}  // namespace tessera
