// SPDX-License-Identifier: MIT
#include "core/history/library_series.h"

#include <algorithm>
#include <cstring>

namespace tessera::library {

namespace {
constexpr std::size_t kChunkRows = 2048, kSparkline = 64;

std::vector<SeriesRow> rows_of(std::string_view blob) {
  std::vector<SeriesRow> rows(blob.size() / sizeof(SeriesRow));
  if (!rows.empty()) std::memcpy(rows.data(), blob.data(), rows.size() * sizeof(SeriesRow));
  return rows;
}
}  // namespace

void Sparkline::add(std::int64_t row, float value) {
  if (row % stride != 0) return;
  if (values.size() == kSparkline) {
    for (std::size_t i = 0; 2 * i < values.size(); ++i) values[i] = values[2 * i];
    values.resize(kSparkline / 2);
    stride *= 2;
    if (row % stride != 0) return;
  }
  values.push_back(value);
}

void Sparkline::cut(std::int64_t rows) {
  const auto kept = static_cast<std::size_t>((rows + stride - 1) / stride);
  if (kept < values.size()) values.resize(kept);
}

SeriesUpdate::SeriesUpdate(Database& database, std::int64_t run, std::int64_t rows,
                           Sparkline sparkline)
    : database_(database), run_(run), rows_(rows), sparkline_(std::move(sparkline)) {
  load_last_chunk();
}

void SeriesUpdate::load_last_chunk() {
  chunk_ = 0;
  tail_.clear();
  Statement last(database_,
                 "SELECT chunk, data FROM series WHERE run = ? ORDER BY chunk DESC LIMIT 1");
  if (!last.bind(run_).next()) return;
  chunk_ = last.integer(0);
  tail_ = rows_of(last.blob(1));
}

void SeriesUpdate::add(const SeriesRow& row) {
  if (tail_.size() >= kChunkRows) {
    flush();
    ++chunk_;
    tail_.clear();
  }
  sparkline_.add(rows_++, row.loss);
  tail_.push_back(row);
  dirty_ = true;
}

void SeriesUpdate::flush() {
  if (!dirty_) return;
  const std::string_view data(reinterpret_cast<const char*>(tail_.data()),
                              tail_.size() * sizeof(SeriesRow));
  Statement(database_, "INSERT OR REPLACE INTO series (run, chunk, data) VALUES (?, ?, ?)")
      .bind(run_, chunk_, data)
      .run();
  dirty_ = false;
}

void SeriesUpdate::cut_after(std::int64_t step) {
  while (true) {
    while (!tail_.empty() && tail_.back().step > step) {
      tail_.pop_back();
      --rows_;
      dirty_ = true;
    }
    if (!tail_.empty() || chunk_ == 0) break;
    Statement(database_, "DELETE FROM series WHERE run = ? AND chunk >= ?")
        .bind(run_, chunk_)
        .run();
    load_last_chunk();
    dirty_ = false;
  }
  sparkline_.cut(rows_);
}

void SeriesUpdate::clear() {
  Statement(database_, "DELETE FROM series WHERE run = ?").bind(run_).run();
  rows_ = chunk_ = 0;
  tail_.clear();
  sparkline_ = {};
  dirty_ = false;
}

RunSeries read_series(Database& database, std::int64_t run) {
  RunSeries s;
  Statement chunks(database, "SELECT data FROM series WHERE run = ? ORDER BY chunk");
  chunks.bind(run);
  while (chunks.next()) {
    for (const SeriesRow& row : rows_of(chunks.blob(0))) {
      s.step.push_back(row.step);
      s.tokens.push_back(row.tokens);
      s.time.push_back(row.time);
      s.loss.push_back(row.loss);
      s.mtp_loss.push_back(row.mtp_loss);
      s.balance_loss.push_back(row.balance_loss);
      s.learning_rate.push_back(row.learning_rate);
      s.grad_norm.push_back(row.grad_norm);
      s.tokens_per_second.push_back(row.tokens_per_second);
      s.mfu.push_back(row.mfu);
      s.max_vio.push_back(row.max_vio);
    }
  }
  return s;
}

}  // namespace tessera::library
