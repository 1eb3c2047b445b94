// SPDX-License-Identifier: MIT
// Many runs that differ in a few keys of the spec: which they are, and which of them fall behind.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace tessera {

/// A key and what it takes: values, or a range.
struct SweepAxis {
  std::string key;
  std::vector<std::string> values;  ///< as TOML; of a range, its points
  struct Range {
    double from = 0, to = 0;
    bool is_log = false, is_whole = false;
  };
  std::optional<Range> range;
};
/// "key=a,b,c", where commas inside of quotes and brackets divide nothing; "key=1e-4..1e-3:log:5",
/// "key=1..4" (whole numbers: all of them), "key=0..1:3". Throws Error saying what is wrong.
SweepAxis sweep_axis_of(const std::string& text);

struct SweepPlan {
  std::vector<SweepAxis> axes;
  int random = 0;  ///< so many draws; 0: every combination of values
  int seeds = 1;   ///< runs of each, with run.seed counted up from `first_seed`
  std::int64_t first_seed = 0;
  std::uint64_t draws_seed = 1;  ///< the same draws for the same number
};
/// "key=value" settings of each run, in order: the last axis changes fastest, seeds faster still.
/// Throws Error for a key that is named twice, and for more than 10,000 runs.
std::vector<std::vector<std::string>> sweep_settings(const SweepPlan& plan);

enum class StopRule : std::uint8_t {
  None,
  Median,  ///< worse than the median of the others' losses at the same step
  Halving  ///< outside of the better half of those that have come to a rung (after 1, 2, 4, ...
           ///< times `after` steps); asynchronous successive halving, arXiv 1810.05934
};
/// Throws Error for another word than "none", "median", "halving".
StopRule stop_rule_of(const std::string& name);
std::string name_of(StopRule rule);

/// What is kept of a sweep: which keys differ, and how runs that fall behind are stopped.
struct SweepRecord {
  std::string tag;
  std::vector<std::string> keys;
  std::vector<std::string> log_keys{};  ///< those of the keys that were spread in the logarithm
  StopRule rule = StopRule::None;
  std::int64_t after = 0;  ///< steps before a run can be stopped
  int runs = 0;
  double created = 0;  ///< seconds since 1970
  struct Stopped {
    std::string run;
    std::int64_t step = 0;
    std::string why;
  };
  std::vector<Stopped> stopped;

  /// Throws Error when it cannot be written, and for a tag that is no name of a file.
  void save(const std::filesystem::path& folder) const;
  /// Nothing where there is none. Throws Error for a damaged one.
  static std::optional<SweepRecord> load(const std::filesystem::path& folder,
                                         const std::string& tag);
  /// Nothing happens where there is none.
  static void remove(const std::filesystem::path& folder, const std::string& tag);
  static std::vector<SweepRecord> all(const std::filesystem::path& folder);
};

/// A run's losses by step, from step 0 on; NaN where there is none.
using LossCurve = std::vector<float>;

/// Mean of the last ten losses up to a step; NaN where the run has not come so far. A loss that is
/// not a number is worse than any.
double settled_loss(const LossCurve& curve, std::int64_t step);

/// Why a run is to be stopped; empty: it is not. `others` are the sweep's other runs, also those
/// that have ended. Two others at least must have come as far, so that nothing is stopped for want
/// of a comparison.
std::string why_behind(StopRule rule, std::int64_t after, const LossCurve& own,
                       const std::vector<LossCurve>& others);

}  // namespace tessera
