// SPDX-License-Identifier: MIT
// The series of a run as the library stores them: rows of steps in blobs, and a sparkline.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/history/database.h"
#include "core/history/library.h"

namespace tessera::library {

/// One logged step; written to blobs as it is.
struct SeriesRow {
  std::int64_t step = 0, tokens = 0;
  double time = 0;
  float loss = 0, mtp_loss = 0, balance_loss = 0, learning_rate = 0;
  float grad_norm = 0, tokens_per_second = 0, mfu = 0, max_vio = 0;
};
static_assert(sizeof(SeriesRow) == 56);

/// At most 64 values over a series of any length: every stride-th, with a stride that doubles.
struct Sparkline {
  std::vector<float> values;
  std::int64_t stride = 1;
  void add(std::int64_t row, float value);
  void cut(std::int64_t rows);
};

/// The series of one run during an update; holds the last chunk only.
class SeriesUpdate {
 public:
  SeriesUpdate(Database& database, std::int64_t run, std::int64_t rows, Sparkline sparkline);
  void add(const SeriesRow& row);
  /// Drops the rows after a step: a resume or rollback undid them.
  void cut_after(std::int64_t step);
  void clear();
  /// Writes what is not yet in the database.
  void flush();

  std::int64_t rows() const { return rows_; }
  const Sparkline& sparkline() const { return sparkline_; }

 private:
  void load_last_chunk();
  Database& database_;
  std::int64_t run_, rows_, chunk_ = 0;
  std::vector<SeriesRow> tail_;
  Sparkline sparkline_;
  bool dirty_ = false;
};

RunSeries read_series(Database& database, std::int64_t run);

}  // namespace tessera::library
