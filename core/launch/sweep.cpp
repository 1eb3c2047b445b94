// SPDX-License-Identifier: MIT
#include "core/launch/sweep.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <random>
#include <set>

#include "core/base/error.h"
#include "core/base/files.h"

namespace tessera {

namespace fs = std::filesystem;

namespace {
using nlohmann::json;
constexpr std::size_t kMostRuns = 10'000;
constexpr int kDefaultPoints = 5, kMostPoints = 1000;
constexpr std::int64_t kSettledOver = 10;
constexpr std::size_t kLeastOthers = 2;

std::string stripped(const std::string& text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == text.npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

/// At characters that stand outside of quotes and brackets.
std::vector<std::string> split_outside(const std::string& text, char at) {
  std::vector<std::string> parts(1);
  int depth = 0;
  char quote = 0;
  for (const char c : text) {
    if (quote != 0) {
      if (c == quote) quote = 0;
    } else if (c == '"' || c == '\'') {
      quote = c;
    } else if (c == '[' || c == '{') {
      ++depth;
    } else if (c == ']' || c == '}') {
      --depth;
    } else if (c == at && depth == 0) {
      parts.emplace_back();
      continue;
    }
    parts.back() += c;
  }
  for (std::string& part : parts) part = stripped(part);
  return parts;
}

std::optional<double> number_in(const std::string& text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value)) return {};
  return value;
}

bool is_whole_text(const std::string& text) {
  return !text.empty() && text.find_first_not_of("0123456789", text[0] == '-' ? 1 : 0) == text.npos;
}

std::string value_text(double value, bool is_whole) {
  if (is_whole) return fmt::format("{}", static_cast<std::int64_t>(std::llround(value)));
  std::string text = fmt::format("{:.6g}", value);
  // A TOML number with a fraction stays one.
  if (text.find_first_of(".e") == text.npos) text += ".0";
  return text;
}

double at_part(const SweepAxis::Range& range, double part) {
  if (!range.is_log) return range.from + part * (range.to - range.from);
  return std::exp(std::log(range.from) + part * (std::log(range.to) - std::log(range.from)));
}

[[noreturn]] void refuse_axis(const std::string& text, const std::string& why) {
  throw Error("--set", fmt::format("\"{}\" {}", text, why),
              "key=a,b,c for values, key=1e-4..1e-3:log:5 for a range with its points");
}

int points_of(const std::string& text, const std::string& whole) {
  int points = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), points);
  if (error != std::errc() || end != text.data() + text.size() || points < 2 ||
      points > kMostPoints) {
    refuse_axis(whole, fmt::format("has \"{}\" where lin, log or a number of points from 2 to {} "
                                   "should be",
                                   text, kMostPoints));
  }
  return points;
}

/// "from..to", then ":log" or ":lin", then ":points"; nothing where it is no range.
bool read_range(const std::string& value, const std::string& whole, SweepAxis& axis) {
  const std::vector<std::string> parts = split_outside(value, ':');
  const std::size_t dots = parts[0].find("..");
  if (dots == std::string::npos) return false;
  const std::string from = stripped(parts[0].substr(0, dots));
  const std::string to = stripped(parts[0].substr(dots + 2));
  const auto first = number_in(from), last = number_in(to);
  if (!first || !last) {
    if (parts[0].front() == '"' || parts[0].front() == '\'') return false;  // a text with dots
    refuse_axis(whole, "has a range whose ends are no numbers");
  }
  if (!(*first < *last)) refuse_axis(whole, "has a range that does not rise");
  SweepAxis::Range range{*first, *last, false, is_whole_text(from) && is_whole_text(to)};
  int points = range.is_whole ? static_cast<int>(std::min<double>(*last - *first + 1, kMostPoints))
                              : kDefaultPoints;
  bool points_named = false;
  for (std::size_t i = 1; i < parts.size(); ++i) {
    if (parts[i] == "log" || parts[i] == "lin") {
      range.is_log = parts[i] == "log";
    } else {
      points = points_of(parts[i], whole);
      points_named = true;
    }
  }
  if (range.is_log && !(*first > 0))
    refuse_axis(whole, "has a logarithmic range that begins at 0 or below");
  if (range.is_log && range.is_whole && !points_named) points = std::min(points, kDefaultPoints);
  for (int i = 0; i < points; ++i) {
    const std::string text = value_text(at_part(range, double(i) / (points - 1)), range.is_whole);
    if (axis.values.empty() || axis.values.back() != text) axis.values.push_back(text);
  }
  axis.range = range;
  return true;
}

std::string setting_of(const std::string& key, const std::string& value) {
  return key + "=" + value;
}

std::string draw(const SweepAxis& axis, std::mt19937_64& random) {
  // NOTE: not the library's distributions, whose draws differ between libraries.
  const double part = static_cast<double>(random() >> 11) * 0x1.0p-53;
  if (!axis.range) return axis.values[static_cast<std::size_t>(part * double(axis.values.size()))];
  if (!axis.range->is_whole) return value_text(at_part(*axis.range, part), false);
  const double low = axis.range->is_log ? axis.range->from : axis.range->from - 0.5;
  const double high = axis.range->is_log ? axis.range->to : axis.range->to + 0.5;
  const double value = at_part({low, high, axis.range->is_log, true}, part);
  return value_text(std::clamp(value, axis.range->from, axis.range->to), true);
}

void add_grid(const std::vector<SweepAxis>& axes, std::size_t at, std::vector<std::string>& chosen,
              std::vector<std::vector<std::string>>& all) {
  if (at == axes.size()) {
    all.push_back(chosen);
    return;
  }
  for (const std::string& value : axes[at].values) {
    chosen.push_back(setting_of(axes[at].key, value));
    add_grid(axes, at + 1, chosen, all);
    chosen.pop_back();
  }
}

void check_plan(const SweepPlan& plan) {
  std::set<std::string> keys;
  double runs = std::max(1, plan.seeds);
  for (const SweepAxis& axis : plan.axes) {
    if (!keys.insert(axis.key).second) {
      throw Error("--set", fmt::format("{} is named twice", axis.key),
                  "give all its values at once");
    }
    if (plan.random == 0) runs *= static_cast<double>(axis.values.size());
  }
  if (plan.seeds > 1 && keys.contains("run.seed")) {
    throw Error("--seeds", "run.seed is among the keys already", "leave one of the two out");
  }
  if (plan.random > 0) runs *= plan.random;
  if (runs > static_cast<double>(kMostRuns)) {
    throw Error("sweep", fmt::format("these would be {:.0f} runs", runs),
                fmt::format("at most {}; --random N draws some of the combinations", kMostRuns));
  }
}

fs::path record_file(const fs::path& folder, const std::string& tag) {
  const bool plain = !tag.empty() && tag[0] != '.' && tag.size() < 100 &&
                     tag.find_first_of("/\\\n") == tag.npos && tag.find('\0') == tag.npos;
  if (!plain)
    throw Error("--tag", fmt::format("\"{}\" is no name of a sweep", tag), "a short word");
  return folder / (tag + ".json");
}

SweepRecord sweep_record_of(const json& o) {
  SweepRecord r;
  r.tag = o.at("tag");
  r.keys = o.at("keys").get<std::vector<std::string>>();
  r.rule = stop_rule_of(o.at("rule"));
  r.after = o.at("after");
  r.log_keys = o.value("log_keys", std::vector<std::string>());
  r.runs = o.at("runs");
  r.created = o.at("created");
  for (const json& one : o.at("stopped")) {
    r.stopped.push_back({one.at("run"), one.at("step"), one.at("why")});
  }
  return r;
}

/// Steps that as many others have made as a comparison needs.
std::int64_t common_steps(const std::vector<LossCurve>& others) {
  std::vector<std::int64_t> steps;
  for (const LossCurve& curve : others) steps.push_back(std::ssize(curve));
  std::sort(steps.rbegin(), steps.rend());
  return steps.at(kLeastOthers - 1);
}

/// Losses of those that have come to a step; a loss that is no number counts as the worst.
std::vector<double> losses_at(const std::vector<LossCurve>& curves, std::int64_t step) {
  std::vector<double> losses;
  for (const LossCurve& curve : curves) {
    const double loss = settled_loss(curve, step);
    if (!std::isnan(loss)) losses.push_back(loss);
  }
  std::sort(losses.begin(), losses.end());
  return losses;
}
}  // namespace

SweepAxis sweep_axis_of(const std::string& text) {
  const std::size_t equals = text.find('=');
  SweepAxis axis;
  axis.key = stripped(text.substr(0, equals));
  if (equals == text.npos || axis.key.empty()) refuse_axis(text, "is no key=values");
  const std::string value = stripped(text.substr(equals + 1));
  if (value.empty()) refuse_axis(text, "names no value");
  if (read_range(value, text, axis)) return axis;
  axis.values = split_outside(value, ',');
  for (const std::string& one : axis.values) {
    if (one.empty()) refuse_axis(text, "has an empty value");
  }
  return axis;
}

std::vector<std::vector<std::string>> sweep_settings(const SweepPlan& plan) {
  check_plan(plan);
  std::vector<std::vector<std::string>> base;
  if (plan.random > 0) {
    std::mt19937_64 random(plan.draws_seed);
    for (int i = 0; i < plan.random; ++i) {
      std::vector<std::string>& one = base.emplace_back();
      for (const SweepAxis& axis : plan.axes)
        one.push_back(setting_of(axis.key, draw(axis, random)));
    }
  } else {
    std::vector<std::string> chosen;
    add_grid(plan.axes, 0, chosen, base);
  }
  if (plan.seeds <= 1) return base;
  std::vector<std::vector<std::string>> all;
  for (const auto& settings : base) {
    for (int i = 0; i < plan.seeds; ++i) {
      all.push_back(settings);
      all.back().push_back(setting_of("run.seed", std::to_string(plan.first_seed + i)));
    }
  }
  return all;
}

StopRule stop_rule_of(const std::string& name) {
  for (const StopRule rule : {StopRule::None, StopRule::Median, StopRule::Halving}) {
    if (name_of(rule) == name) return rule;
  }
  throw Error("--stop-behind", fmt::format("\"{}\" is no rule", name), "none, median or halving");
}

std::string name_of(StopRule rule) {
  return rule == StopRule::Median ? "median" : rule == StopRule::Halving ? "halving" : "none";
}

void SweepRecord::save(const fs::path& folder) const {
  json list = json::array();
  for (const Stopped& one : stopped) {
    list.push_back({{"run", one.run}, {"step", one.step}, {"why", one.why}});
  }
  const json o{{"tag", tag},      {"keys", keys},        {"rule", name_of(rule)},
               {"after", after},  {"runs", runs},        {"created", created},
               {"stopped", list}, {"log_keys", log_keys}};
  const fs::path file = record_file(folder, tag);
  std::error_code error;
  fs::create_directories(folder, error);
  write_file_atomically(file, o.dump(1, ' ', false, json::error_handler_t::replace) + "\n");
}

std::optional<SweepRecord> SweepRecord::load(const fs::path& folder, const std::string& tag) {
  const fs::path file = record_file(folder, tag);
  if (!fs::exists(file)) return {};
  try {
    return sweep_record_of(json::parse(read_file(file, 16u << 20)));
  } catch (const json::exception& problem) {
    throw Error(file.string(), fmt::format("cannot be read: {}", problem.what()));
  }
}

void SweepRecord::remove(const fs::path& folder, const std::string& tag) {
  std::error_code error;
  fs::remove(record_file(folder, tag), error);
}

std::vector<SweepRecord> SweepRecord::all(const fs::path& folder) {
  std::vector<SweepRecord> records;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    if (entry->path().extension() != ".json") continue;
    try {
      records.push_back(sweep_record_of(json::parse(read_file(entry->path(), 16u << 20))));
    } catch (const std::exception&) {
      // A damaged one is told when it is asked for by its tag.
    }
  }
  std::sort(records.begin(), records.end(),
            [](const SweepRecord& a, const SweepRecord& b) { return a.created > b.created; });
  return records;
}

double settled_loss(const LossCurve& curve, std::int64_t step) {
  if (step < 0 || step >= std::ssize(curve)) return std::numeric_limits<double>::quiet_NaN();
  double sum = 0;
  std::int64_t count = 0;
  for (std::int64_t at = std::max<std::int64_t>(0, step - kSettledOver + 1); at <= step; ++at) {
    sum += curve[static_cast<std::size_t>(at)];
    ++count;
  }
  return std::isfinite(sum) ? sum / static_cast<double>(count)
                            : std::numeric_limits<double>::infinity();
}

std::string why_behind(StopRule rule, std::int64_t after, const LossCurve& own,
                       const std::vector<LossCurve>& others) {
  if (rule == StopRule::None || others.size() < kLeastOthers) return {};
  const std::int64_t done = std::min<std::int64_t>(std::ssize(own), common_steps(others));
  if (done < std::max<std::int64_t>(1, after)) return {};
  std::int64_t step = done - 1;
  if (rule == StopRule::Halving) {
    std::int64_t rung = std::max<std::int64_t>(1, after);
    while (rung <= done / 2) rung *= 2;
    step = rung - 1;
  }
  const double loss = settled_loss(own, step);
  const std::vector<double> losses = losses_at(others, step);
  if (losses.size() < kLeastOthers) return {};
  if (rule == StopRule::Halving) {
    const auto better = static_cast<std::size_t>(
        std::lower_bound(losses.begin(), losses.end(), loss) - losses.begin());
    const std::size_t all = losses.size() + 1;
    if (better < (all + 1) / 2) return {};
    return fmt::format("{} of {} runs had a lower loss than {:.4f} at step {}", better, all, loss,
                       step);
  }
  const std::size_t middle = losses.size() / 2;
  const double median =
      losses.size() % 2 == 1 ? losses[middle] : (losses[middle - 1] + losses[middle]) / 2;
  if (!(loss > median)) return {};
  return fmt::format("its loss of {:.4f} at step {} is above {:.4f}, the median of {} others", loss,
                     step, median, losses.size());
}

}  // namespace tessera
