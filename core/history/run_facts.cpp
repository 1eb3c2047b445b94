// SPDX-License-Identifier: MIT
#include "core/history/run_facts.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <set>

#include "core/history/metrics.h"
#include "core/spec/spec_table.h"

namespace tessera::library {

namespace {
/// A setting as a list shows it: words without quotes, whole numbers without grouping.
std::string shown(const spec::Value& value) {
  std::string text;
  if (const auto* words = std::get_if<std::string>(&value)) {
    text = *words;
  } else if (const auto* whole = std::get_if<std::int64_t>(&value)) {
    text = std::to_string(*whole);
  } else {
    text = spec::format_value(value);
  }
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text;
}

/// The value behind "name=" at the beginning of a line.
std::optional<std::string_view> find(std::string_view text, std::string_view name) {
  for (std::size_t at = 0; (at = text.find(name, at)) != text.npos; at += name.size()) {
    const std::size_t end = at + name.size();
    const bool begins = at == 0 || text[at - 1] == '\n';
    if (!begins || end >= text.size() || text[end] != '=') continue;
    const std::size_t stop = text.find('\n', end);
    return text.substr(end + 1, stop == text.npos ? stop : stop - end - 1);
  }
  return {};
}

double number_of(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() ? value : kNotMeasured;
}

RunCell cell_of(std::string_view column, std::string_view metrics, std::string_view settings) {
  RunCell cell;
  if (column.starts_with(kMetricColumn)) {
    if (const auto found = find(metrics, column.substr(kMetricColumn.size()))) {
      cell.number = number_of(*found);
    }
  } else if (column.starts_with(kSettingColumn)) {
    if (const auto found = find(settings, column.substr(kSettingColumn.size()))) {
      cell.text = *found;
      cell.number = number_of(*found);
    }
  }
  return cell;
}
}  // namespace

std::string settings_text(const std::optional<RunSpec>& spec) {
  std::string text;
  if (!spec) return text;
  for (const spec::Entry& entry : spec::flatten(*spec)) {
    text += entry.path + '=' + shown(entry.value) + '\n';
  }
  return text;
}

std::string metrics_text(const StepEvent& step) {
  std::string text;
  for (std::size_t m = 0; m < kMetricCount; ++m) {
    const MetricInfo& info = metric_info(static_cast<Metric>(m));
    const double value = info.value(step);
    if (value == value) text += fmt::format("{}={}\n", info.id, value);
  }
  return text;
}

std::vector<RunCell> cells_of(const RunColumns& columns, std::string_view metrics,
                              std::string_view settings) {
  std::vector<RunCell> cells;
  cells.reserve(columns.size());
  for (const std::string& column : columns) cells.push_back(cell_of(column, metrics, settings));
  return cells;
}

std::vector<std::string> names_in(const std::vector<std::string>& texts) {
  std::vector<std::string> names;
  std::set<std::string, std::less<>> known;
  for (const std::string_view text : texts) {
    std::ptrdiff_t after = 0;
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t stop = std::min(text.find('\n', at), text.size());
      const std::string_view line = text.substr(at, stop - at);
      const std::string_view name = line.substr(0, line.find('='));
      at = stop + 1;
      if (known.insert(std::string(name)).second) {
        names.insert(names.begin() + after, std::string(name));
        ++after;
      } else {
        after = std::find(names.begin(), names.end(), name) - names.begin() + 1;
      }
    }
  }
  return names;
}

}  // namespace tessera::library
