// SPDX-License-Identifier: MIT
#include "core/history/run_numbers.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <nlohmann/json.hpp>
#include <unordered_map>
#include <vector>

#include "core/base/atomic_file.h"
#include "core/base/error.h"
#include "core/events/step_fold.h"

namespace tessera {

namespace {
using nlohmann::json;

constexpr std::size_t kAtOnce = 4096;
constexpr std::size_t kFlushBytes = 1u << 16;

struct Cancelled {};

/// A logged number, whole or not, or nothing.
struct Cell {
  enum class Kind : std::uint8_t { Empty, Whole, Real } kind = Kind::Empty;
  std::int64_t whole = 0;
  double real = 0;
};

struct Row {
  std::int64_t step = 0;
  bool trained = false, validated = false;
  std::vector<Cell> cells;  ///< by column; may end early
};

class Table {
 public:
  Table() {
    for (const char* name : {"step", "tokens", "t"}) column(name);
  }

  void take(const Event& event) {
    if (const auto stands = fold_.take(event)) cut_after(*stands);
    if (const auto* step = std::get_if<StepEvent>(&event.body)) {
      Row& row = row_of(step->step);
      row.trained = true;
      add_object(row, to_json(event));
    } else if (const auto* validation = std::get_if<ValidationEvent>(&event.body)) {
      Row& row = row_of(validation->step);
      row.validated = true;
      add_validation(row, event, *validation);
    }
  }

  const std::vector<std::string>& columns() const { return columns_; }
  const std::vector<Row>& rows() const { return rows_; }
  std::int64_t undone() const { return undone_; }

 private:
  std::size_t column(const std::string& name) {
    const auto [at, fresh] = places_.try_emplace(name, columns_.size());
    if (fresh) columns_.push_back(name);
    return at->second;
  }

  void cut_after(std::int64_t step) {
    while (!rows_.empty() && rows_.back().step > step) {
      undone_ += (rows_.back().trained ? 1 : 0) + (rows_.back().validated ? 1 : 0);
      rows_.pop_back();
    }
  }

  Row& row_of(std::int64_t step) {
    if (rows_.empty() || rows_.back().step != step) rows_.push_back({step, false, false, {}});
    return rows_.back();
  }

  void set(Row& row, const std::string& name, const json& value) {
    const std::size_t at = column(name);
    if (row.cells.size() <= at) row.cells.resize(at + 1);
    if (value.is_number_float()) {
      row.cells[at] = {Cell::Kind::Real, 0, value.get<double>()};
    } else if (value.is_number()) {
      row.cells[at] = {Cell::Kind::Whole, value.get<std::int64_t>(), 0};
    } else if (value.is_null()) {
      row.cells[at] = {Cell::Kind::Real, 0, kNotMeasured};
    }
  }

  void add_object(Row& row, const json& object) {
    for (const auto& [name, value] : object.items()) {
      if (name == "seq" || name == "kind") continue;
      if (!value.is_array()) {
        set(row, name, value);
        continue;
      }
      for (std::size_t i = 0; i < value.size(); ++i) {
        set(row, fmt::format("{}/{}", name, i), value[i]);
      }
    }
  }

  /// A step that was trained keeps its own tokens and time.
  void add_validation(Row& row, const Event& event, const ValidationEvent& validation) {
    if (!row.trained) {
      set(row, "step", validation.step);
      set(row, "tokens", validation.tokens);
      set(row, "t", event.time);
    }
    set(row, "validation_loss", validation.loss);
    for (const ValidationEvent::Source& source : validation.sources) {
      set(row, "validation/" + source.name, source.loss);
    }
  }

  std::vector<std::string> columns_;
  std::unordered_map<std::string, std::size_t> places_;
  std::vector<Row> rows_;
  std::int64_t undone_ = 0;
  StepFold fold_;
};

/// Writes in pieces, so that a million rows do not stand in memory as text.
class Writer {
 public:
  /// A link stays one: what it names is replaced.
  explicit Writer(const std::filesystem::path& file)
      : file_(std::filesystem::is_symlink(file) ? std::filesystem::weakly_canonical(file) : file) {}
  fmt::memory_buffer& text() { return text_; }
  void flush(bool all = false) {
    if (!all && text_.size() < kFlushBytes) return;
    file_.write({text_.data(), text_.size()});
    text_.clear();
  }
  void commit() {
    flush(true);
    file_.commit();
  }

 private:
  AtomicFile file_;
  fmt::memory_buffer text_;
};

void add_field(fmt::memory_buffer& out, std::string_view text) {
  if (text.find_first_of(",\"\n\r") == std::string_view::npos) return out.append(text);
  out.push_back('"');
  for (const char c : text) {
    if (c == '"') out.push_back('"');
    out.push_back(c);
  }
  out.push_back('"');
}

void add_cell(fmt::memory_buffer& out, const Cell& cell) {
  if (cell.kind == Cell::Kind::Whole) fmt::format_to(std::back_inserter(out), "{}", cell.whole);
  if (cell.kind == Cell::Kind::Real) fmt::format_to(std::back_inserter(out), "{}", cell.real);
}

void write_table(const Table& table, Writer& writer) {
  fmt::memory_buffer& out = writer.text();
  for (std::size_t c = 0; c < table.columns().size(); ++c) {
    if (c > 0) out.push_back(',');
    add_field(out, table.columns()[c]);
  }
  out.push_back('\n');
  for (const Row& row : table.rows()) {
    for (std::size_t c = 0; c < table.columns().size(); ++c) {
      if (c > 0) out.push_back(',');
      if (c < row.cells.size()) add_cell(out, row.cells[c]);
    }
    out.push_back('\n');
    writer.flush();
  }
}

template <class Take>
std::string read_log(EventReader& reader, const std::atomic<bool>* cancel, const Take& take) {
  std::vector<Event> events;
  do {
    if (cancel && *cancel) throw Cancelled();
    events = reader.poll(kAtOnce);
    for (const Event& event : events) take(event);
  } while (!events.empty());
  std::vector<std::string> damage;
  for (const LogDamage& one : reader.damage()) damage.push_back(one.text());
  return fmt::format("{}", fmt::join(damage, "; "));
}
}  // namespace

NumbersFormat numbers_format_of(const std::filesystem::path& file) {
  std::string end = file.extension().string();
  for (char& c : end) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return end == ".jsonl" || end == ".json" ? NumbersFormat::JsonLines : NumbersFormat::Csv;
}

NumbersWritten write_run_numbers(const std::filesystem::path& log,
                                 const std::filesystem::path& file, NumbersFormat format,
                                 const std::shared_ptr<const std::atomic<bool>>& cancel) {
  NumbersWritten written;
  try {
    if (!std::filesystem::exists(log)) {
      throw Error(log.string(), "is not there", "the run's folder may have been moved or removed");
    }
    EventReader reader(log);
    Writer writer(file);
    if (format == NumbersFormat::JsonLines) {
      written.damage = read_log(reader, cancel.get(), [&](const Event& event) {
        fmt::format_to(std::back_inserter(writer.text()), "{}\n", to_json_line(event));
        writer.flush();
        ++written.rows;
      });
    } else {
      reader.set_kinds({"step", "validation", "resume", "rollback"});
      Table table;
      written.damage =
          read_log(reader, cancel.get(), [&](const Event& event) { table.take(event); });
      write_table(table, writer);
      written.rows = static_cast<std::int64_t>(table.rows().size());
      written.undone = table.undone();
    }
    writer.commit();
  } catch (const Cancelled&) {
    written.cancelled = true;
  } catch (const std::exception& problem) {
    written.error = problem.what();
  }
  return written;
}

}  // namespace tessera
