// SPDX-License-Identifier: MIT
#include "core/http/exchange.h"

#include <utility>

#include "core/http/api_error.h"

namespace tessera {

void Exchange::push(AnswerEvent event) {
  const std::lock_guard lock(mutex_);
  events_.push_back(std::move(event));
  came_.notify_one();
}

std::optional<AnswerEvent> Exchange::wait(std::chrono::milliseconds time) {
  std::unique_lock lock(mutex_);
  if (!came_.wait_for(lock, time, [&] { return !events_.empty(); })) return {};
  AnswerEvent event = std::move(events_.front());
  events_.pop_front();
  return event;
}

namespace {
class ExchangeSink final : public ScheduleSink {
 public:
  ExchangeSink(std::shared_ptr<Exchange> exchange, std::size_t answer)
      : exchange_(std::move(exchange)), answer_(answer) {}

  void on_prompt(const ScheduledPrompt& prompt) override { exchange_->push({answer_, prompt}); }
  bool on_token(const ScheduledToken& token) override {
    exchange_->push({answer_, TokenEvent{token.text, token.logprobs}});
    return true;
  }
  void on_end(const ScheduledEnd& end) override { exchange_->push({answer_, end}); }

 private:
  std::shared_ptr<Exchange> exchange_;
  std::size_t answer_;
};

ApiError queue_is_full() {
  ApiError error(429, "rate_limit_error", "the queue is full; try again a little later");
  error.code = "queue_full";
  return error;
}
}  // namespace

Answers::Answers(Scheduler& scheduler, const ApiRequest& request) : scheduler_(scheduler) {
  std::vector<Scheduler::Submission> submissions;
  for (std::size_t answer = 0; answer < request.answers(); ++answer) {
    submissions.push_back({request.of(answer), std::make_shared<ExchangeSink>(events_, answer)});
  }
  auto ids = scheduler.submit(std::move(submissions));
  if (!ids) throw queue_is_full();
  ids_ = std::move(*ids);
}

Answers::~Answers() {
  for (const Scheduler::Id id : ids_) scheduler_.cancel(id);
}

}  // namespace tessera
