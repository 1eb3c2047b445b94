// SPDX-License-Identifier: MIT
#include "app/terminal.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <chrono>
#include <cmath>
#include <cstdio>

namespace tessera::app {

std::string duration(double seconds) {
  const auto s = static_cast<long>(std::lround(std::max(0.0, seconds)));
  if (s >= 3600) return fmt::format("{} h {:02} min", s / 3600, s / 60 % 60);
  if (s >= 60) return fmt::format("{} min {:02} s", s / 60, s % 60);
  return fmt::format("{} s", s);
}

std::string count(double value) {
  constexpr const char* kUnits[] = {"", " k", " M", " B", " T"};  // B: billions
  int unit = 0;
  while (std::fabs(value) >= 1000 && unit < 4) {
    value /= 1000;
    ++unit;
  }
  const int digits = unit == 0 ? 0 : std::fabs(value) < 10 ? 2 : std::fabs(value) < 100 ? 1 : 0;
  return fmt::format("{:.{}f}{}", value, digits, kUnits[unit]);
}

namespace {
/// Characters of UTF-8 text, for alignment.
std::size_t width(const std::string& text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

std::string pad(const std::string& text, std::size_t to, bool right) {
  const std::string space(to > width(text) ? to - width(text) : 0, ' ');
  return right ? space + text : text + space;
}
}  // namespace

std::string byte_count(double bytes) {
  if (bytes >= 1e12) return fmt::format("{:.2f} TB", bytes / 1e12);
  if (bytes >= 1e9) return fmt::format("{:.2f} GB", bytes / 1e9);
  if (bytes >= 1e6) return fmt::format("{:.1f} MB", bytes / 1e6);
  if (bytes >= 1e3) return fmt::format("{:.1f} kB", bytes / 1e3);
  return fmt::format("{:.0f} bytes", bytes);
}

namespace {
std::string amount(std::int64_t value, const std::string& unit) {
  const auto number = static_cast<double>(value);
  return unit == "bytes" ? byte_count(number) : count(number) + " " + unit;
}
}  // namespace

std::string phase_text(const PhaseProgress& p) {
  if (p.total > 0) {
    const double share = 100.0 * static_cast<double>(p.done) / static_cast<double>(p.total);
    return fmt::format("{}: {:.0f} % of {}", p.phase, share, amount(p.total, p.unit));
  }
  if (p.done > 0) {
    return fmt::format("{}: {}", p.phase, amount(p.done, p.unit));
  }
  return p.phase;
}

std::string table(const std::vector<std::string>& head,
                  const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths;
  for (const std::string& cell : head) widths.push_back(width(cell));
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width(row[i]));
  }
  std::string text;
  const auto add = [&](const std::vector<std::string>& row, bool is_head) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      const bool number = !is_head && !row[i].empty() && row[i].size() < 14 &&
                          std::isdigit(static_cast<unsigned char>(row[i][0]));
      text += pad(row[i], i + 1 == row.size() && !number ? 0 : widths[i], number);
      text += i + 1 == row.size() ? "\n" : "  ";
    }
  };
  add(head, true);
  for (const auto& row : rows) add(row, false);
  return text;
}

namespace {
double now_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}
}  // namespace

RunView::RunView(std::int64_t total_steps, std::int64_t total_tokens, bool show_samples)
    : total_steps_(total_steps),
      total_tokens_(total_tokens),
      show_samples_(show_samples),
      is_terminal_(isatty(1) == 1) {}

void RunView::line(const std::string& text, bool keep) {
  if (is_terminal_) {
    std::printf("\r\033[K%s%s", text.c_str(), keep ? "\n" : "");
    line_open_ = !keep;
  } else {
    std::printf("%s\n", text.c_str());
  }
  std::fflush(stdout);
}

void RunView::finish_line() {
  if (line_open_) std::printf("\n");
  line_open_ = false;
}

void RunView::step(const StepEvent& e) {
  const double now = now_seconds();
  const bool last = e.step + 1 == total_steps_;
  if (!last && now - last_shown_ < (is_terminal_ ? 0.2 : 10.0)) return;
  last_shown_ = now;
  constexpr int kWidth = 24;
  const double share = static_cast<double>(e.step + 1) / static_cast<double>(total_steps_);
  const int full = static_cast<int>(share * kWidth);
  std::string bar;
  for (int i = 0; i < kWidth; ++i) bar += i < full ? "█" : "░";
  const double left = pace_.seconds_left(total_tokens_);
  const float vio = e.max_vio.empty() ? 0.f : *std::max_element(e.max_vio.begin(), e.max_vio.end());
  line(fmt::format("{} {}/{}  loss {:.3f}  {} tokens/s  MFU {:.1f} %  MaxVio {:.2f}{}", bar,
                   e.step + 1, total_steps_, e.loss, count(e.tokens_per_second), 100 * e.mfu, vio,
                   std::isfinite(left) ? "  " + duration(left) + " left" : ""),
       last);
}

void RunView::event(const Event& event) {
  pace_.take(event);
  std::visit([this](const auto& body) { tell(body); }, event.body);
}

void RunView::event_now(const EventBody& body) {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  event({0, std::chrono::duration<double>(now).count(), body});
}

namespace {
std::string when(const ValidationEvent& v) {
  return v.step < 0 ? "before the first step" : fmt::format("after step {}", v.step);
}
}  // namespace

void RunView::tell(const ValidationEvent& v) {
  if (v.sources.empty()) return;  // nothing is held out
  if (!std::isfinite(v.loss)) {
    return line(fmt::format("warning: the validation loss {} is not a finite number", when(v)),
                true);
  }
  if (std::isnan(first_validation_)) first_validation_ = v.loss;
  last_validation_ = v.loss;
  std::string text = fmt::format("validation {}: {:.4f}", when(v), v.loss);
  for (const auto& source : v.sources) text += fmt::format("  {} {:.3f}", source.name, source.loss);
  line(text, true);
}

void RunView::tell(const SampleEvent& s) {
  if (!show_samples_) return;
  line(is_terminal_ ? fmt::format("sample: {}\033[1m{}\033[0m", s.prompt, s.text)
                    : fmt::format("sample: {}{}", s.prompt, s.text),
       true);
}

void RunView::tell(const CheckpointEvent& c) {
  line(fmt::format("checkpoint {} ({:.1f} MiB, {:.1f} s)", c.path,
                   static_cast<double>(c.bytes) / 1048576.0, c.seconds),
       true);
}

void RunView::tell(const SpikeEvent& s) {
  line(fmt::format("loss spike at step {}: {:.3f}, usual {:.3f}", s.step, s.loss, s.usual), true);
}

void RunView::tell(const RollbackEvent& r) {
  std::string text = fmt::format("rolled back to {} after step {}", r.checkpoint, r.from_step);
  if (r.most > 0) text += fmt::format(" ({} of at most {} rollbacks to it)", r.number, r.most);
  if (r.skip_steps > 0) text += fmt::format("; {} batches are left out", r.skip_steps);
  if (!r.reason.empty()) text += ": " + r.reason;
  line(text, true);
}

void RunView::tell(const MessageEvent& m) {
  if (m.level != "info") line(fmt::format("{}: {}", m.level, m.text), true);
}

void RunView::tell(const StateEvent& s) {
  if (s.state == RunState::Paused) line("paused", true);
  if (!is_final(s.state)) return;
  line(fmt::format("{}{}{}", name_of(s.state), s.reason.empty() ? "" : ": ", s.reason), true);
}

void RunView::tell(const PhaseEvent& p) {
  phase({p.phase, p.done, p.total, p.unit});
}

void RunView::phase(const PhaseProgress& p) {
  const double now = now_seconds();
  const bool is_new = p.phase != phase_;
  if (!is_new && now - last_shown_ < (is_terminal_ ? 0.2 : 10.0)) return;
  phase_ = p.phase;
  last_shown_ = now;
  line(phase_text(p), false);
}

}  // namespace tessera::app
