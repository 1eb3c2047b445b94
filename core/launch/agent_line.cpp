// SPDX-License-Identifier: MIT
#include "core/launch/agent_line.h"

#include <signal.h>

#include <algorithm>
#include <utility>

#include "core/base/error.h"

namespace tessera {

using namespace std::chrono_literals;
using Word = AgentWord::Kind;

namespace {
constexpr auto kPingEvery = 2s;
/// The first few measure the clock.
constexpr int kQuickPings = 5;
constexpr auto kQuickly = 20ms;
/// A line that answers no ping for so long is broken, whatever ssh says.
constexpr std::chrono::milliseconds kLongestSilence = 20s;
}  // namespace

AgentLine::AgentLine(Ssh& ssh, HostSlots host, RemoteProgram program, std::string agent,
                     std::chrono::milliseconds patience)
    : ssh_(ssh),
      host_(std::move(host)),
      program_(std::move(program)),
      agent_(std::move(agent)),
      patience_(patience) {}

void AgentLine::connect(const std::vector<std::string>& arguments, const std::string& first) {
  out_.clear();
  err_.clear();
  process_.reset();
  process_.emplace(ssh_.line(host_.host, program_.command(arguments)));
  process_->write(first);
  heard_ = pinged_ = Clock::now();
  pings_ = 0;
}

void AgentLine::start(const AgentOrder& order) {
  starts_ = true;
  connect({"agent", "start"}, to_line(order));
}

void AgentLine::attach() {
  connect({"agent", "attach", agent_, "--from", std::to_string(next_)}, "");
}

double AgentLine::silent_s() const {
  return std::chrono::duration<double>(Clock::now() - heard_).count();
}

void AgentLine::ask(const std::string& what) {
  asks_.push_back(what);
}

std::vector<AgentWord> AgentLine::look() {
  std::vector<AgentWord> words;
  if (state_ == State::Over) return words;
  if (!process_) {
    if (Clock::now() >= again_at_) try_again();
    return words;
  }
  if (state_ == State::Live) {
    for (const std::string& ask : std::exchange(asks_, {})) process_->write(ask + "\n");
    ping();
  }
  const auto ended = process_->poll();  // before the last look at what it has printed
  process_->exchange(out_, err_);
  for (const std::string& line : take_lines(out_)) {
    if (!line.starts_with('{')) continue;  // a login shell that greets
    take(word_of_line(line), words);
    if (state_ == State::Over) break;
  }
  if (state_ == State::Over) {
    process_.reset();
  } else if (ended) {
    finish(*ended);
  } else if (Clock::now() - heard_ > (state_ == State::Live ? kLongestSilence : patience_)) {
    finish(0);
  }
  return words;
}

void AgentLine::take(const AgentWord& word, std::vector<AgentWord>& words) {
  heard_ = Clock::now();
  if (word.kind == Word::Refused) {
    state_ = State::Over;  // and it still starts, if it did
    throw Error("host " + host_.name(), word.text, word.hint);
  }
  starts_ = false;
  if (state_ != State::Live) {
    state_ = State::Live;
    tries_ = 0;
    trouble_.clear();
  }
  if (word.kind == Word::Pong) return take_pong(word);
  if (word.number >= 0) {
    if (word.number < next_) return;
    next_ = word.number + 1;
  }
  if (word.kind == Word::Done || word.kind == Word::Gone) state_ = State::Over;
  words.push_back(word);
}

/// The clock's offset is read half way of the quickest answer, and is wrong by half of its time at
/// most.
void AgentLine::take_pong(const AgentWord& word) {
  if (word.status != pings_) return;
  const double received = clock_now(), doubt = (received - ping_sent_) / 2;
  if (doubt < 0 || doubt >= doubt_s_) return;
  doubt_s_ = doubt;
  ahead_s_ = word.time - (received + ping_sent_) / 2;
}

void AgentLine::ping() {
  const auto every = pings_ < kQuickPings ? Clock::duration(kQuickly) : Clock::duration(kPingEvery);
  if (Clock::now() - pinged_ < every) return;
  pinged_ = Clock::now();
  ping_sent_ = clock_now();
  process_->write("ping " + std::to_string(++pings_) + "\n");
}

/// The line has ended without the agent's last word.
void AgentLine::finish(int wait_status) {
  const HostAnswer answer{wait_status, /*timed_out=*/wait_status == 0, out_, err_};
  process_->kill(SIGKILL);
  process_.reset();
  try {
    require_answer(host_.host, answer);
  } catch (const Error& error) {
    if (starts_) {
      state_ = State::Over;
      throw;
    }
    trouble_ = error.what_failed();
  }
  state_ = State::Broken;
  const auto pause = std::min(15s, 1s * (1 << std::min(tries_, 4)));
  ++tries_;
  again_at_ = Clock::now() + pause;
}

void AgentLine::try_again() {
  ssh_.forget(host_.host);
  attach();
}

}  // namespace tessera
