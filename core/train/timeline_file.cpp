// SPDX-License-Identifier: MIT
#include "core/train/timeline_file.h"

#include <fmt/format.h>

#include <iterator>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/base/files.h"

namespace tessera {

namespace {

constexpr int kRounds = 32;

Tensor one(std::int64_t& number) {
  return {&number, DType::I64, {1}};
}

/// Asks rank 0 for its time.
ClockOffset ask(Communicator& ranks, const Timeline& timeline) {
  Context context;
  ClockOffset best;
  for (int round = 0; round < kRounds; ++round) {
    std::int64_t sent = timeline.now(), theirs = 0;
    ranks.send(context, one(sent), 0);
    ranks.receive(context, one(theirs), 0);
    const std::int64_t way = timeline.now() - sent;
    if (round > 0 && way / 2 + 1 >= best.uncertainty_ns) continue;
    // Rank 0 looked at its clock some time between the question and the answer.
    best = {.ahead_ns = sent + way / 2 - theirs, .uncertainty_ns = way / 2 + 1};
  }
  return best;
}

void answer(Communicator& ranks, const Timeline& timeline, int rank) {
  Context context;
  for (int round = 0; round < kRounds; ++round) {
    std::int64_t question = 0;
    ranks.receive(context, one(question), rank);
    std::int64_t now = timeline.now();
    ranks.send(context, one(now), rank);
  }
}

/// The spans of a rank as events of a trace, one a line, each with a comma behind it.
std::string events_of(const Timeline& timeline, const ClockOffset& clock, int rank) {
  std::string text;
  const auto out = std::back_inserter(text);
  fmt::format_to(out,
                 R"({{"name":"process_name","ph":"M","pid":{},"args":{{"name":"rank {}"}}}},)"
                 "\n",
                 rank, rank);
  for (const Timeline::Span& s : timeline.spans()) {
    fmt::format_to(out,
                   R"({{"name":"{}","ph":"X","pid":{},"tid":0,"ts":{:.3f},"dur":{:.3f},"args":{{)"
                   R"("step":{})",
                   s.what, rank, static_cast<double>(s.from - clock.ahead_ns) / 1e3,
                   static_cast<double>(s.to - s.from) / 1e3, s.step);
    if (s.stage >= 0) fmt::format_to(out, R"(,"stage":{})", s.stage);
    if (s.micro_batch >= 0) fmt::format_to(out, R"(,"micro_batch":{})", s.micro_batch);
    if (s.bytes >= 0) fmt::format_to(out, R"(,"bytes":{})", s.bytes);
    text += "}},\n";
  }
  return text;
}

/// The text of every rank, on rank 0.
std::vector<std::string> gather(Communicator& ranks, std::string own) {
  Context context;
  std::int64_t size = std::ssize(own);
  std::vector<std::int64_t> sizes(static_cast<std::size_t>(ranks.size()));
  ranks.all_gather(context, one(size), {sizes.data(), DType::I64, {ranks.size()}});
  if (ranks.rank() != 0) {
    ranks.send(context, {own.data(), DType::U8, {size}}, 0);
    return {};
  }
  std::vector<std::string> all{std::move(own)};
  for (int rank = 1; rank < ranks.size(); ++rank) {
    const std::int64_t bytes = sizes[static_cast<std::size_t>(rank)];
    std::string text(static_cast<std::size_t>(bytes), ' ');
    ranks.receive(context, {text.data(), DType::U8, {bytes}}, rank);
    all.push_back(std::move(text));
  }
  return all;
}

std::string file_text(const std::vector<std::string>& events,
                      const std::vector<std::int64_t>& clocks) {
  std::string text = "{\"displayTimeUnit\":\"ms\",\"traceEvents\":[\n";
  for (const std::string& of_rank : events) text += of_rank;
  text.resize(text.size() - 2);  // the last comma
  text += "\n],\"otherData\":{\"clocks\":[";
  for (std::size_t rank = 0; 2 * rank < clocks.size(); ++rank) {
    fmt::format_to(std::back_inserter(text),
                   R"({}{{"rank":{},"ahead_us":{:.3f},"uncertainty_us":{:.3f}}})",
                   rank > 0 ? "," : "", rank, static_cast<double>(clocks[2 * rank]) / 1e3,
                   static_cast<double>(clocks[2 * rank + 1]) / 1e3);
  }
  return text + "]}}\n";
}

}  // namespace

ClockOffset measure_clock(Communicator& ranks, const Timeline& timeline) {
  if (ranks.rank() > 0) return ask(ranks, timeline);
  for (int rank = 1; rank < ranks.size(); ++rank) answer(ranks, timeline, rank);
  return {};
}

void write_timeline(Communicator& ranks, const Timeline& timeline, const ClockOffset& clock,
                    const std::filesystem::path& file) {
  Context context;
  std::int64_t own[] = {clock.ahead_ns, clock.uncertainty_ns};
  std::vector<std::int64_t> clocks(2 * static_cast<std::size_t>(ranks.size()));
  ranks.all_gather(context, {own, DType::I64, {2}},
                   {clocks.data(), DType::I64, {2 * ranks.size()}});
  const std::vector<std::string> events = gather(ranks, events_of(timeline, clock, ranks.rank()));
  std::string error;
  if (ranks.rank() == 0) {
    try {
      write_file_atomically(file, file_text(events, clocks));
    } catch (const Error& e) {
      error = fmt::format("{} {}", file.string(), e.what_failed());
    }
  }
  std::int64_t failed = error.empty() ? 0 : 1;
  ranks.broadcast(context, one(failed), 0);
  require(failed == 0, "timeline", "{}",
          error.empty() ? "rank 0 could not write " + file.string() : error);
}

}  // namespace tessera
