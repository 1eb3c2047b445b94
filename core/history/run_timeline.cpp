// SPDX-License-Identifier: MIT
#include "core/history/run_timeline.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <unordered_map>

#include "core/base/error.h"

namespace tessera {

namespace {
using nlohmann::json;
constexpr int kMostRanks = 1 << 16;
constexpr double kNsPerUs = 1000;

bool is_idle(TimelineKind kind) {
  return kind == TimelineKind::Wait;
}

/// The piece that begins at `from` belongs to `owner`, instead of what was said of it before.
void begin_piece(TimelineLane& lane, std::int64_t from, std::int32_t owner) {
  if (!lane.starts.empty() && lane.starts.back() == from) {
    lane.owners.back() = owner;
  } else {
    lane.starts.push_back(from);
    lane.owners.push_back(owner);
  }
}

/// Spans on the way down from the outermost one are kept on a stack.
void find_pieces(TimelineLane& lane) {
  lane.starts.clear();
  lane.owners.clear();
  std::vector<std::int32_t> open;
  const auto close_until = [&](std::int64_t now) {
    while (!open.empty()) {
      const std::int64_t end = lane.spans[static_cast<std::size_t>(open.back())].to_ns;
      if (end > now) return;
      open.pop_back();
      // One that ends later than what it lies in does not come back.
      while (!open.empty() && lane.spans[static_cast<std::size_t>(open.back())].to_ns <= end) {
        open.pop_back();
      }
      begin_piece(lane, end, open.empty() ? -1 : open.back());
    }
  };
  for (std::size_t i = 0; i < lane.spans.size(); ++i) {
    close_until(lane.spans[i].from_ns);
    begin_piece(lane, lane.spans[i].from_ns, static_cast<std::int32_t>(i));
    open.push_back(static_cast<std::int32_t>(i));
  }
  close_until(std::numeric_limits<std::int64_t>::max());
}

double idle_share(const TimelineLane& lane, std::int64_t length_ns) {
  if (length_ns <= 0) return 0;
  std::int64_t busy = 0;
  for (std::size_t i = 0; i < lane.starts.size(); ++i) {
    if (lane.owners[i] < 0 || is_idle(lane.spans[static_cast<std::size_t>(lane.owners[i])].kind)) {
      continue;
    }
    const std::int64_t end = i + 1 < lane.starts.size() ? lane.starts[i + 1] : length_ns;
    busy += end - lane.starts[i];
  }
  return 1 - static_cast<double>(busy) / static_cast<double>(length_ns);
}

std::int16_t short_of(const json& arguments, const char* key) {
  const std::int64_t value = arguments.value(key, std::int64_t{-1});
  return static_cast<std::int16_t>(std::clamp<std::int64_t>(value, -1, 32767));
}

/// The events of a trace, one a line.
class TraceReader {
 public:
  explicit TraceReader(const std::filesystem::path& file) : file_(file) {}

  RunTimeline read() {
    std::ifstream in(file_);
    if (!in) throw Error(file_.string(), "cannot be read");
    std::string line;
    bool is_trace = false;
    while (std::getline(in, line)) {
      is_trace = is_trace || line.find("\"traceEvents\"") != line.npos;
      if (line.empty() || line[0] != '{' || line.find("\"ph\":\"X\"") == line.npos) continue;
      if (line.back() == ',') line.pop_back();
      take(json::parse(line));
    }
    if (!is_trace) throw Error(file_.string(), "is no timeline");
    if (spans_ == 0) {
      throw Error(file_.string(), "holds no span yet", "it is written after the first ten steps");
    }
    return std::move(timeline_);
  }

 private:
  void take(const json& event) {
    const std::int64_t rank = event.at("pid").get<std::int64_t>();
    if (rank < 0 || rank >= kMostRanks) {
      throw Error(file_.string(), fmt::format("has a rank {}", rank));
    }
    const double from = event.at("ts").get<double>(), length = event.at("dur").get<double>();
    const bool sound = std::isfinite(from) && length >= 0 && std::abs(from) < 1e15 && length < 1e15;
    if (!sound) throw Error(file_.string(), "has a span that lies outside of any time");
    const json& arguments = event.at("args");
    TimelineSpan span;
    span.from_ns = std::llround(from * kNsPerUs);
    span.to_ns = span.from_ns + std::llround(length * kNsPerUs);
    span.bytes = arguments.value("bytes", std::int64_t{-1});
    span.step = static_cast<std::int32_t>(arguments.value("step", std::int64_t{0}));
    span.stage = short_of(arguments, "stage");
    span.micro_batch = short_of(arguments, "micro_batch");
    const std::string name = event.at("name").get<std::string>();
    span.kind = timeline_kind_of(name);
    span.name = number_of(name);
    const auto lane = static_cast<std::size_t>(rank);
    if (lane >= timeline_.lanes.size()) timeline_.lanes.resize(lane + 1);
    timeline_.lanes[lane].spans.push_back(span);
    ++spans_;
  }

  std::uint16_t number_of(const std::string& name) {
    const auto [at, is_new] =
        numbers_.try_emplace(name, static_cast<std::uint16_t>(timeline_.names.size()));
    if (is_new) {
      if (timeline_.names.size() >= 65'535) throw Error(file_.string(), "has too many names");
      timeline_.names.push_back(name);
    }
    return at->second;
  }

  std::filesystem::path file_;
  RunTimeline timeline_;
  std::unordered_map<std::string, std::uint16_t> numbers_;
  std::size_t spans_ = 0;
};
}  // namespace

TimelineKind timeline_kind_of(const std::string& name) {
  if (name == "forward") return TimelineKind::Forward;
  if (name == "backward of the weights") return TimelineKind::Weights;
  if (name.starts_with("backward")) return TimelineKind::Backward;
  if (name == "all_to_all") return TimelineKind::AllToAll;
  if (name == "send" || name == "keep") return TimelineKind::Send;
  if (name == "receive" || name == "barrier") return TimelineKind::Wait;
  if (name == "optimiser") return TimelineKind::Optimiser;
  const bool is_sum = name.starts_with("all_") || name == "reduce_scatter" || name == "broadcast" ||
                      name == "sum of gradients";
  return is_sum ? TimelineKind::Sum : TimelineKind::Other;
}

std::int32_t TimelineLane::owner_at(std::int64_t ns) const {
  const auto after = std::upper_bound(starts.begin(), starts.end(), ns);
  if (after == starts.begin()) return -1;
  return owners[static_cast<std::size_t>(after - starts.begin() - 1)];
}

void arrange(RunTimeline& timeline) {
  std::int64_t first = std::numeric_limits<std::int64_t>::max(), last = 0;
  for (const TimelineLane& lane : timeline.lanes) {
    for (const TimelineSpan& span : lane.spans) first = std::min(first, span.from_ns);
  }
  for (TimelineLane& lane : timeline.lanes) {
    for (TimelineSpan& span : lane.spans) {
      span.from_ns -= first;
      span.to_ns -= first;
      last = std::max(last, span.to_ns);
    }
    std::sort(lane.spans.begin(), lane.spans.end(), [](const auto& a, const auto& b) {
      return a.from_ns != b.from_ns ? a.from_ns < b.from_ns : a.to_ns > b.to_ns;
    });
  }
  timeline.length_ns = last;
  for (TimelineLane& lane : timeline.lanes) {
    find_pieces(lane);
    lane.idle = idle_share(lane, last);
  }
}

RunTimeline read_timeline(const std::filesystem::path& file) {
  std::error_code error;
  const std::uintmax_t bytes = std::filesystem::file_size(file, error);
  if (error) throw Error(file.string(), "cannot be read: " + error.message());
  if (bytes > kMostTimelineBytes) {
    throw Error(file.string(), fmt::format("is larger than {} MiB", kMostTimelineBytes >> 20),
                "ui.perfetto.dev opens it");
  }
  try {
    RunTimeline timeline = TraceReader(file).read();
    arrange(timeline);
    return timeline;
  } catch (const json::exception& problem) {
    throw Error(file.string(), fmt::format("cannot be read: {}", problem.what()));
  }
}

}  // namespace tessera
