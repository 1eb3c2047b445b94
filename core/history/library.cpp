// SPDX-License-Identifier: MIT
#include "core/history/library.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <ctime>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "core/base/error.h"
#include "core/base/files.h"
#include "core/base/log.h"
#include "core/config/paths.h"
#include "core/events/step_fold.h"
#include "core/history/database.h"
#include "core/history/recent_steps.h"
#include "core/history/run_facts.h"
#include "core/history/sparkline.h"

namespace tessera {

namespace fs = std::filesystem;
using library::Damaged;
using library::Database;
using library::Sparkline;
using library::Statement;
using library::Transaction;
using nlohmann::json;

namespace {

/// Script N brings version N to N + 1. Scripts that were once released never change.
constexpr const char* kMigrations[] = {
    R"(CREATE TABLE runs (
         number INTEGER PRIMARY KEY,
         id TEXT NOT NULL UNIQUE, folder TEXT NOT NULL UNIQUE, name TEXT NOT NULL,
         state TEXT NOT NULL DEFAULT 'draft', reason TEXT NOT NULL DEFAULT '',
         step INTEGER NOT NULL DEFAULT -1, total_steps INTEGER NOT NULL DEFAULT 0,
         tokens INTEGER NOT NULL DEFAULT 0, loss REAL, validation_loss REAL,
         created REAL NOT NULL DEFAULT 0, last_word REAL NOT NULL DEFAULT 0,
         tags TEXT NOT NULL DEFAULT '[]', notes TEXT NOT NULL DEFAULT '',
         archived INTEGER NOT NULL DEFAULT 0, missing INTEGER NOT NULL DEFAULT 0,
         parent TEXT NOT NULL DEFAULT '', parent_step INTEGER NOT NULL DEFAULT -1,
         sparkline BLOB, sparkline_stride INTEGER NOT NULL DEFAULT 1,
         series_rows INTEGER NOT NULL DEFAULT 0, log_offset INTEGER NOT NULL DEFAULT 0,
         signature TEXT NOT NULL DEFAULT '');
       CREATE TABLE series (
         run INTEGER NOT NULL REFERENCES runs(number) ON DELETE CASCADE,
         chunk INTEGER NOT NULL, data BLOB NOT NULL,
         PRIMARY KEY (run, chunk)) WITHOUT ROWID;)",
    // An empty signature makes the next refresh look at every run again.
    R"(ALTER TABLE runs ADD COLUMN tokens_per_second REAL;
       UPDATE runs SET signature = '';)",
    // Steps are read from the log itself; what is kept of them is the sparkline.
    R"(DROP TABLE IF EXISTS series;
       ALTER TABLE runs ADD COLUMN last_step INTEGER NOT NULL DEFAULT -2;
       UPDATE runs SET last_step = step WHERE series_rows > 0;)",
    // The last step's metrics and the settings, as lines "name=value"; see run_facts.h.
    R"(ALTER TABLE runs ADD COLUMN metrics TEXT NOT NULL DEFAULT '';
       ALTER TABLE runs ADD COLUMN settings TEXT NOT NULL DEFAULT '';
       UPDATE runs SET signature = '';)",
    // Where a run is whose folder is a mirror.
    R"(ALTER TABLE runs ADD COLUMN host TEXT NOT NULL DEFAULT '';
       UPDATE runs SET signature = '';)",
};
constexpr int kVersion = static_cast<int>(std::size(kMigrations));

// NOTE: a statement that still reads keeps its tables from being dropped: this one ends here.
std::int64_t version_of(Database& database) {
  Statement read(database, "PRAGMA user_version");
  read.next();
  return read.integer(0);
}

void migrate(Database& database, const std::string& name) {
  // The version is read inside the transaction: another process may be migrating too.
  Transaction transaction(database);
  const auto version = version_of(database);
  if (version > kVersion) {
    throw Error(
        name,
        fmt::format("is a library of version {}, this program knows up to {}", version, kVersion),
        "use a newer Tessera, or move the file away: it is made anew from the runs");
  }
  if (version > 0)
    Statement(database, "SELECT number, signature FROM runs");  // a foreign one throws
  for (std::int64_t v = version; v < kVersion; ++v) database.execute(kMigrations[v]);
  database.execute(fmt::format("PRAGMA user_version = {}", kVersion).c_str());
  transaction.commit();
}

void check_integrity(Database& database, const fs::path& file) {
  constexpr std::uintmax_t kQuickToRead = 32u << 20;
  std::error_code error;
  if (fs::file_size(file, error) > kQuickToRead) return;
  Statement check(database, "PRAGMA quick_check(1)");
  if (check.next() && check.text(0) != "ok") throw Damaged(file.string(), check.text(0));
}

/// Size and time of what a row is made from: while it is the same, the row is up to date.
std::string signature_of(const RunFolder& folder) {
  std::string signature;
  for (const char* name :
       {"events.log", "run.toml", "about.json", "process.json", "exit.json", "mirror.json"}) {
    struct stat info {};
    if (::stat((folder.path() / name).c_str(), &info) != 0) info = {};
    signature += fmt::format("{}:{}.{};", info.st_size, info.st_mtim.tv_sec, info.st_mtim.tv_nsec);
  }
  return signature;
}

/// What the user says of a run.
struct About {
  std::string name, notes;
  std::vector<std::string> tags;
  bool archived = false;
  std::optional<RunSpec> spec{};  ///< absent where run.toml cannot be read
};

About read_about(const RunFolder& folder) {
  About about;
  about.name = folder.id();
  try {
    about.spec = read_spec(folder.spec_path()).spec;
    const RunSpec::Run& run = about.spec->run;
    about.name = run.name;
    about.notes = run.notes;
    about.tags = run.tags;
    const fs::path path = folder.path() / "about.json";
    if (!fs::exists(path)) return about;
    const json j = json::parse(read_file(path, 1 << 20));
    about.name = j.value("name", about.name);
    about.notes = j.value("notes", about.notes);
    about.tags = j.value("tags", about.tags);
    about.archived = j.value("archived", false);
  } catch (const Error& problem) {
    log::warning("{}", problem.what());
  } catch (const json::exception& problem) {
    log::warning("{}: about.json cannot be read: {}", folder.path().string(), problem.what());
  }
  return about;
}

void write_about(const RunFolder& folder, const About& about) {
  const json j = {{"name", about.name},
                  {"notes", about.notes},
                  {"tags", about.tags},
                  {"archived", about.archived}};
  write_file_atomically(folder.path() / "about.json",
                        j.dump(1, ' ', false, json::error_handler_t::replace) + "\n");
}

std::vector<float> floats_of(std::string_view blob) {
  std::vector<float> values(blob.size() / sizeof(float));
  if (!values.empty()) std::memcpy(values.data(), blob.data(), values.size() * sizeof(float));
  return values;
}

std::string tags_text(const std::vector<std::string>& tags) {
  return json(tags).dump(-1, ' ', false, json::error_handler_t::replace);
}

std::vector<std::string> tags_of(const std::string& text) {
  const json j = json::parse(text, nullptr, false);
  return j.is_array() ? j.get<std::vector<std::string>>() : std::vector<std::string>();
}

/// Held while the file is looked over, set aside or made.
class OpenLock {
 public:
  explicit OpenLock(const fs::path& path)
      : file_(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666)) {
    if (file_ >= 0) ::flock(file_, LOCK_EX);
  }
  ~OpenLock() {
    if (file_ >= 0) ::close(file_);
  }
  OpenLock(const OpenLock&) = delete;
  OpenLock& operator=(const OpenLock&) = delete;

 private:
  int file_;
};

fs::path with_suffix(fs::path path, const std::string& suffix) {
  return path += suffix;
}

constexpr const char* kColumns =
    "SELECT id, folder, name, state, reason, step, total_steps, tokens, loss, validation_loss, "
    "created, last_word, tags, notes, archived, missing, parent, parent_step, sparkline, "
    "tokens_per_second, host";
constexpr const char* kFrom = " FROM runs ";

/// Facts are read only where a column asks for them: they are most of a row.
std::string select_rows(const std::shared_ptr<const RunColumns>& columns, const char* rest) {
  return std::string(kColumns) + (columns ? ", metrics, settings" : "") + kFrom + rest;
}

RunRow read_row(const Statement& s, const std::shared_ptr<const RunColumns>& columns) {
  RunRow row;
  row.id = s.text(0);
  row.folder = s.text(1);
  row.name = s.text(2);
  row.state = run_state_from_name(s.text(3));
  row.reason = s.text(4);
  row.step = s.integer(5);
  row.total_steps = s.integer(6);
  row.tokens = s.integer(7);
  row.loss = s.number(8);
  row.validation_loss = s.number(9);
  row.created = s.number(10);
  row.last_word = s.number(11);
  row.tags = tags_of(s.text(12));
  row.notes = s.text(13);
  row.archived = s.integer(14) != 0;
  row.missing = s.integer(15) != 0;
  row.parent = s.text(16);
  row.parent_step = s.integer(17);
  row.sparkline = floats_of(s.blob(18));
  row.tokens_per_second = s.number(19);
  row.host = s.text(20);
  row.columns = columns;
  if (columns) row.cells = library::cells_of(*columns, s.blob(21), s.blob(22));
  return row;
}

}  // namespace

struct Library::State {
  fs::path file;
  std::unique_ptr<Database> database;
  std::string recovery;
  std::shared_ptr<const RunColumns> columns;  ///< null: none

  void open() {
    const OpenLock lock(with_suffix(file, ".lock"));
    try {
      open_sound();
    } catch (const Damaged& problem) {
      set_aside(problem.what_failed());
      open_sound();
    }
  }

  void open_sound() {
    database = std::make_unique<Database>(file);
    try {
      check_integrity(*database, file);
      migrate(*database, file.string());
      database->execute("PRAGMA foreign_keys = ON");
    } catch (...) {
      database.reset();
      throw;
    }
  }

  void set_aside(const std::string& why) {
    database.reset();
    const fs::path aside = with_suffix(file, fmt::format(".damaged-{}", std::time(nullptr)));
    fs::rename(file, aside);
    for (const char* suffix : {"-wal", "-shm"}) {
      std::error_code error;
      fs::rename(with_suffix(file, suffix), with_suffix(aside, suffix), error);
    }
    recovery = fmt::format(
        "The library of runs was damaged ({}). It was set aside as {} and made anew from the run "
        "folders; no run is lost.",
        why, aside.filename().string());
    log::warning("{}", recovery);
  }

  /// Runs `work`; when the file turns out to be damaged, makes it anew and runs it again.
  template <class Work>
  auto guarded(const Work& work) {
    try {
      return work();
    } catch (const Damaged& problem) {
      {
        const OpenLock lock(with_suffix(file, ".lock"));
        set_aside(problem.what_failed());
        open_sound();
      }
      refresh_all();
      return work();
    }
  }

  fs::path roots_file() const { return with_suffix(file, ".roots"); }

  std::vector<fs::path> roots() const {
    std::vector<fs::path> roots = {runs_folder()};
    if (!fs::exists(roots_file())) return roots;
    std::istringstream lines(read_file(roots_file()));
    for (std::string line; std::getline(lines, line);) {
      if (!line.empty() && std::find(roots.begin(), roots.end(), line) == roots.end()) {
        roots.emplace_back(line);
      }
    }
    return roots;
  }

  void refresh_all() {
    std::error_code error;
    for (const fs::path& root : roots()) {
      for (const auto& entry : fs::directory_iterator(root, error)) {
        if (RunFolder::is_run(entry.path())) refresh_reporting(RunFolder::open(entry.path()));
      }
    }
    std::map<std::string, bool> missing;
    Statement all(*database, "SELECT folder, missing FROM runs");
    while (all.next()) missing[all.text(0)] = all.integer(1) != 0;
    for (const auto& [folder, was] : missing) {
      const bool is = !RunFolder::is_run(folder);
      if (is == was) continue;
      Statement(*database, "UPDATE runs SET missing = ? WHERE folder = ?").bind(is, folder).run();
    }
  }

  /// One spoilt run must not hide the others.
  void refresh_reporting(const RunFolder& folder) {
    try {
      refresh_one(folder);
    } catch (const Damaged&) {
      throw;
    } catch (const Error& problem) {
      log::warning("{}", problem.what());
    }
  }

  /// The number of the run's row; made when there is none.
  std::int64_t row_number(const RunFolder& folder) {
    const std::string path = folder.path().string();
    Statement find(*database, "SELECT number FROM runs WHERE folder = ?");
    if (find.bind(path).next()) return find.integer(0);
    std::string id = folder.id();
    Statement same(*database, "SELECT number, folder FROM runs WHERE id = ?");
    if (same.bind(id).next()) {
      if (!RunFolder::is_run(same.text(1))) {  // the run was moved
        Statement(*database, "UPDATE runs SET folder = ?, signature = '' WHERE number = ?")
            .bind(path, same.integer(0))
            .run();
        return same.integer(0);
      }
      id += fmt::format("~{:08x}", static_cast<std::uint32_t>(std::hash<std::string>()(path)));
    }
    Statement(*database, "INSERT INTO runs (id, folder, name) VALUES (?, ?, ?)")
        .bind(id, path, id)
        .run();
    return sqlite3_last_insert_rowid(database->handle());
  }

  // NOTE: a statement that still reads when a transaction begins makes it fail once another process
  // has written meanwhile. So this one ends here.
  bool is_up_to_date(const RunFolder& folder, const std::string& signature) {
    Statement known(*database, "SELECT signature, state FROM runs WHERE folder = ?");
    return known.bind(folder.path().string()).next() && known.text(0) == signature &&
           is_final(run_state_from_name(known.text(1)));
  }

  void refresh_one(const RunFolder& folder) {
    const std::string signature = signature_of(folder);
    if (is_up_to_date(folder, signature)) return;
    const RunStatus status = status_of(folder);
    const About about = read_about(folder);
    const auto lineage = folder.lineage();
    Transaction transaction(*database);
    const std::int64_t number = row_number(folder);
    update_sparkline(folder, number);
    Statement(*database,
              "UPDATE runs SET name = ?, state = ?, reason = ?, step = ?, total_steps = ?, "
              "tokens = ?, loss = ?, validation_loss = ?, created = ?, last_word = ?, tags = ?, "
              "notes = ?, archived = ?, missing = 0, parent = ?, parent_step = ?, signature = ?, "
              "tokens_per_second = ?, settings = ?, host = ? WHERE number = ?")
        .bind(about.name, std::string(name_of(status.state)), status.reason, status.step,
              status.total_steps, status.tokens, status.loss, status.validation_loss,
              status.created, status.last_word, tags_text(about.tags), about.notes, about.archived,
              lineage ? lineage->parent : std::string(), lineage ? lineage->step : std::int64_t{-1},
              signature, status.tokens_per_second, library::settings_text(about.spec), status.host,
              number)
        .run();
    transaction.commit();
  }

  /// Takes what the log has gained since the last time. Where a resume or a rollback undid steps,
  /// which is rare, the whole log is read again.
  void update_sparkline(const RunFolder& folder, std::int64_t number) {
    Statement read(*database,
                   "SELECT series_rows, sparkline, sparkline_stride, log_offset, last_step, "
                   "metrics FROM runs WHERE number = ?");
    read.bind(number).next();
    Curve curve{.line = {.values = floats_of(read.blob(1)),
                         .stride = std::max<std::int64_t>(1, read.integer(2)),
                         .rows = read.integer(0)},
                .offset = static_cast<std::uint64_t>(read.integer(3)),
                .last_step = read.integer(4),
                .last = {}};
    std::string metrics = read.text(5);
    std::error_code error;
    const auto size = fs::file_size(folder.events_path(), error);
    if (error) return;
    const bool other_log = size < curve.offset;
    const bool anew = other_log || !follow(folder, curve);
    if (anew) curve = read_whole(folder);
    if (curve.last) {
      metrics = library::metrics_text(*curve.last);
    } else if (anew ||
               metrics.empty()) {  // the last step was undone, or the library is from before
      const std::vector<StepEvent> steps = recent_steps(folder.events_path(), 1);
      metrics = steps.empty() ? std::string() : library::metrics_text(steps.back());
    }
    const std::vector<float>& values = curve.line.values;
    Statement(*database,
              "UPDATE runs SET series_rows = ?, sparkline = ?, sparkline_stride = ?, "
              "log_offset = ?, last_step = ?, metrics = ? WHERE number = ?")
        .bind(curve.line.rows,
              std::string_view(reinterpret_cast<const char*>(values.data()),
                               values.size() * sizeof(float)),
              curve.line.stride, static_cast<std::int64_t>(curve.offset), curve.last_step, metrics,
              number)
        .run();
  }

  /// What is kept of the steps of a run.
  struct Curve {
    Sparkline line;
    std::uint64_t offset = 0;       ///< the log was read up to here
    std::int64_t last_step = -2;    ///< -2: none
    std::optional<StepEvent> last;  ///< the last step that was read, if any was
  };

  /// Calls take(event) for the events of the log from `offset` on that say steps or undo them, as
  /// long as it returns true. Returns the offset that was reached.
  template <class Take>
  static std::uint64_t read_steps(const RunFolder& folder, std::uint64_t offset, const Take& take) {
    EventReader reader(folder.events_path());
    reader.set_kinds({"step", "resume", "rollback"});
    if (offset > 0) reader.seek_offset(offset);
    while (true) {
      const std::vector<Event> events = reader.poll(4096);
      for (const Event& event : events) {
        if (!take(event)) return reader.offset();
      }
      if (events.empty()) return reader.offset();
    }
  }

  /// False when an event undoes steps that the curve holds.
  static bool follow(const RunFolder& folder, Curve& curve) {
    bool undone = false;
    curve.offset = read_steps(folder, curve.offset, [&](const Event& event) {
      const auto* step = std::get_if<StepEvent>(&event.body);
      undone = step ? step->step <= curve.last_step : undoes_after(event) < curve.last_step;
      if (undone || !step) return !undone;
      curve.line.add(static_cast<float>(step->loss));
      curve.last_step = step->step;
      curve.last = *step;
      return true;
    });
    return !undone;
  }

  /// The last step that stands after a resume or a rollback.
  static std::int64_t undoes_after(const Event& event) {
    StepFold fold;
    return fold.take(event).value_or(std::numeric_limits<std::int64_t>::max());
  }

  static Curve read_whole(const RunFolder& folder) {
    std::vector<std::pair<std::int64_t, float>> losses;
    std::optional<StepEvent> last;
    StepFold fold;
    Curve curve;
    curve.offset = read_steps(folder, 0, [&](const Event& event) {
      if (const auto stands = fold.take(event)) {
        while (!losses.empty() && losses.back().first > *stands) losses.pop_back();
      }
      if (const auto* step = std::get_if<StepEvent>(&event.body)) {
        losses.emplace_back(step->step, static_cast<float>(step->loss));
        last = *step;
      }
      return true;
    });
    for (const auto& [step, loss] : losses) curve.line.add(loss);
    if (!losses.empty()) curve.last_step = losses.back().first;
    // Where a log ends with a resume, the last step that was read was undone by it.
    if (last && last->step == curve.last_step) curve.last = std::move(last);
    return curve;
  }

  std::optional<RunRow> row(const std::string& id) {
    Statement find(*database, select_rows(columns, "WHERE id = ?").c_str());
    if (!find.bind(id).next()) return {};
    return read_row(find, columns);
  }

  template <class Change>
  void change_about(const std::string& id, const Change& change) {
    const auto found = row(id);
    if (!found) throw Error("library", fmt::format("there is no run {}", id));
    const RunFolder folder = RunFolder::open(found->folder);
    About about = read_about(folder);
    change(about);
    write_about(folder, about);
    refresh_one(folder);
  }
};

Library::Library(const fs::path& file) : state_(std::make_unique<State>()) {
  state_->file = file.empty() ? home_folder() / "library.db" : file;
  std::error_code error;
  fs::create_directories(fs::absolute(state_->file).parent_path(), error);
  state_->open();
  if (!state_->recovery.empty()) state_->refresh_all();
}
Library::~Library() = default;
Library::Library(Library&&) noexcept = default;
Library& Library::operator=(Library&&) noexcept = default;

const std::string& Library::recovery() const {
  return state_->recovery;
}
std::vector<fs::path> Library::roots() {
  return state_->roots();
}

void Library::add_root(const fs::path& folder) {
  const std::string path = fs::absolute(folder).lexically_normal().string();
  const auto known = state_->roots();
  if (std::find(known.begin(), known.end(), path) != known.end()) return;
  const fs::path file = state_->roots_file();
  write_file_atomically(file, (fs::exists(file) ? read_file(file) : "") + path + "\n");
}

void Library::refresh() {
  state_->guarded([&] { state_->refresh_all(); });
}
void Library::refresh(const RunFolder& folder) {
  state_->guarded([&] { state_->refresh_one(folder); });
}

void Library::set_columns(RunColumns columns) {
  state_->columns =
      columns.empty() ? nullptr : std::make_shared<const RunColumns>(std::move(columns));
}

std::vector<std::string> Library::setting_names() {
  return state_->guarded([&] {
    constexpr std::int64_t kNewest = 200;
    std::vector<std::string> texts;
    Statement all(*state_->database, "SELECT settings FROM runs ORDER BY created DESC LIMIT ?");
    all.bind(kNewest);
    while (all.next()) texts.push_back(all.text(0));
    return library::names_in(texts);
  });
}

std::vector<RunRow> Library::runs(bool with_archived) {
  return state_->guarded([&] {
    std::vector<RunRow> rows;
    Statement all(
        *state_->database,
        select_rows(state_->columns, "WHERE archived <= ? ORDER BY created DESC, id").c_str());
    all.bind(with_archived);
    while (all.next()) rows.push_back(read_row(all, state_->columns));
    return rows;
  });
}

std::optional<RunRow> Library::run(const std::string& id) {
  return state_->guarded([&] { return state_->row(id); });
}

void Library::set_tags(const std::string& id, const std::vector<std::string>& tags) {
  state_->guarded([&] { state_->change_about(id, [&](About& about) { about.tags = tags; }); });
}
void Library::set_notes(const std::string& id, const std::string& notes) {
  state_->guarded([&] { state_->change_about(id, [&](About& about) { about.notes = notes; }); });
}
void Library::set_name(const std::string& id, const std::string& name) {
  state_->guarded([&] { state_->change_about(id, [&](About& about) { about.name = name; }); });
}
void Library::set_archived(const std::string& id, bool archived) {
  state_->guarded([&] { state_->change_about(id, [&](About& a) { a.archived = archived; }); });
}

void Library::forget(const std::string& id) {
  state_->guarded(
      [&] { Statement(*state_->database, "DELETE FROM runs WHERE id = ?").bind(id).run(); });
}

}  // namespace tessera
