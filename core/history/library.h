// SPDX-License-Identifier: MIT
// library.db: an index of runs, so that lists open at once. It is fed
// from the run folders and made anew from them when it is missing or damaged.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/run/run_folder.h"

namespace tessera {

/// Columns that the list of runs has when they are asked for: "setting/model.hidden_size" is a
/// setting of the spec as run, "metric/grad_norm" the last value of a row of the table of metrics.
using RunColumns = std::vector<std::string>;
inline constexpr std::string_view kSettingColumn = "setting/", kMetricColumn = "metric/";

/// What stands in such a column.
struct RunCell {
  double number = kNotMeasured;  ///< a metric in its unit, a setting that is a number
  std::string text{};            ///< the setting's value; empty: the spec has no such key
  bool operator==(const RunCell& other) const {
    const bool same = number == other.number || (number != number && other.number != other.number);
    return same && text == other.text;
  }
};

struct RunRow {
  std::string id;  ///< name of the folder
  std::filesystem::path folder;
  std::string name;
  RunState state = RunState::Draft;  ///< as of the last refresh; status_of() knows better
  std::string reason;
  std::int64_t step = -1, total_steps = 0, tokens = 0;
  double loss = kNotMeasured, validation_loss = kNotMeasured;
  double tokens_per_second = kNotMeasured;  ///< in the last step
  double created = 0, last_word = 0;        ///< seconds since 1970
  std::string host;  ///< where it is, if the folder is a mirror; empty: the run is here
  std::vector<std::string> tags;
  std::string notes;
  bool archived = false;
  bool missing = false;  ///< the folder is not there at present
  std::string parent;    ///< id of the run it was forked from
  std::int64_t parent_step = -1;
  std::vector<float> sparkline;               ///< at most 64 losses over the whole run
  std::shared_ptr<const RunColumns> columns;  ///< what the cells are; null: none
  std::vector<RunCell> cells;                 ///< one for each of the columns
};

class Library {
 public:
  /// Opens home_folder()/library.db or `file`. A damaged one is set aside and made anew; see
  /// recovery(). Throws Error when the file is of a newer version or cannot be made.
  explicit Library(const std::filesystem::path& file = {});
  ~Library();
  Library(Library&&) noexcept;
  Library& operator=(Library&&) noexcept;

  /// What was wrong with the file and what was done, for the user; empty: nothing.
  const std::string& recovery() const;

  /// Folders whose runs belong to the library; runs_folder() always does.
  std::vector<std::filesystem::path> roots();
  void add_root(const std::filesystem::path& folder);

  /// Looks through the roots: adds new runs, brings changed ones up to date, marks missing ones.
  /// Cheap for runs whose log has not grown.
  void refresh();
  /// One run, also from outside the roots.
  void refresh(const RunFolder& folder);

  /// Rows have cells for these from now on.
  void set_columns(RunColumns columns);
  /// Names of settings that the specs of the newest runs have, in the order of the specs.
  std::vector<std::string> setting_names();

  std::vector<RunRow> runs(bool with_archived = false);  ///< newest first
  std::optional<RunRow> run(const std::string& id);

  /// The user's words go into the run folder too (about.json), so that they outlive the library.
  void set_tags(const std::string& id, const std::vector<std::string>& tags);
  void set_notes(const std::string& id, const std::string& notes);
  void set_name(const std::string& id, const std::string& name);
  void set_archived(const std::string& id, bool archived);
  /// Forgets the run; its folder stays, and refresh() finds it again where it is in a root.
  void forget(const std::string& id);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace tessera
