// SPDX-License-Identifier: MIT
// The way from the scheduler's thread to that of a connection: what comes of the answers of one
// request, in the order in which it came.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <variant>

#include "core/http/api_request.h"
#include "core/infer/scheduler.h"

namespace tessera {

struct TokenEvent {
  std::string text;
  std::optional<TokenLogprobs> logprobs;
};

/// Something that came of one answer.
struct AnswerEvent {
  std::size_t answer = 0;
  std::variant<ScheduledPrompt, TokenEvent, ScheduledEnd> what;
};

class Exchange {
 public:
  void push(AnswerEvent event);
  /// Nothing when nothing came in time.
  std::optional<AnswerEvent> wait(std::chrono::milliseconds time);

 private:
  std::mutex mutex_;
  std::condition_variable came_;
  std::deque<AnswerEvent> events_;
};

/// The answers of one request while they are written. Whoever drops it ends them.
class Answers {
 public:
  /// Throws ApiError: 429 where the queue is full, 503 where the server ends.
  Answers(Scheduler& scheduler, const ApiRequest& request);
  ~Answers();
  Answers(const Answers&) = delete;
  Answers& operator=(const Answers&) = delete;

  std::optional<AnswerEvent> wait(std::chrono::milliseconds time) { return events_->wait(time); }

 private:
  Scheduler& scheduler_;
  std::shared_ptr<Exchange> events_ = std::make_shared<Exchange>();
  std::vector<Scheduler::Id> ids_;
};

}  // namespace tessera
