// SPDX-License-Identifier: MIT
// One engine, many conversations: a queue, admission by free pages, and steps that each bring one
// pass of the model over everything that runs, pieces of prompts beside tokens of answers. What a
// request says does not depend on what runs beside it (EngineOptions::rows_alone), on how its
// prompt was cut, on what it shared, or on whether it was put back and read again.
#pragma once

#include <array>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <exception>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/grammar/constraint.h"
#include "core/infer/answer_text.h"
#include "core/infer/generate.h"

namespace tessera {

struct SchedulerOptions {
  std::int64_t most_running = 64;
  std::int64_t most_waiting = 256;  ///< requests; more are turned away
  std::int64_t step_tokens = 256;   ///< new tokens of one step, at least most_running
  /// Sequences that have ended, whose pages are kept for requests that begin alike until the pages
  /// are needed.
  std::int64_t most_kept = 64;
};

struct ScheduledRequest {
  std::vector<std::int32_t> prompt;
  /// As for generate(), but max_tokens may be 0, and the vocabulary's size and the ends of answers
  /// are filled in. `before`, `first_draw` and `read_before_telling` are not read.
  GenerateOptions generate;
  std::vector<std::string> stop_texts;  ///< texts that end the answer and are not part of it
  std::int64_t logprobs = -1;  ///< likeliest tokens told with every token; -1: no logarithms at all
  bool prompt_logprobs = false;  ///< the same for the tokens of the prompt: all of it is read
  bool ignore_ends = false;      ///< the model cannot end its answer
  /// What the answer must follow, over the scheduler's vocabulary; null: nothing. The answer ends
  /// as if the model had ended it where nothing may follow. Its tokens are chosen on the host.
  std::shared_ptr<const Constraint> constraint{};
  std::vector<std::int32_t> spelled{};  ///< special tokens that are part of the text
};

/// A prompt that has been read.
struct ScheduledPrompt {
  std::int64_t tokens = 0, reused = 0;  ///< `reused`: those that were in the cache already
  std::vector<TokenLogprobs> logprobs;  ///< where asked for; the first token has none, only its id
};

struct ScheduledToken {
  const Choice& choice;
  std::string text;  ///< see AnswerText::push
  const std::optional<TokenLogprobs>& logprobs;
};

struct ScheduledEnd {
  StopReason reason = StopReason::Length;
  std::string text;            ///< what was held back
  std::int64_t tokens = 0;     ///< in the answer
  std::exception_ptr failure;  ///< set: the request failed, and `reason` means nothing
};

/// Hears what comes of a request. Calls come from the thread that runs the scheduler, which waits
/// for them: they must be short. The last one is on_end.
class ScheduleSink {
 public:
  virtual ~ScheduleSink() = default;
  virtual void on_prompt(const ScheduledPrompt& prompt) = 0;
  /// Returns false to cancel.
  virtual bool on_token(const ScheduledToken& token) = 0;
  virtual void on_end(const ScheduledEnd& end) = 0;
};

/// Counts of values up to each bound, and of larger ones.
struct SecondsHistogram {
  static constexpr std::array kBounds{0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,  0.25,
                                      0.5,   1.0,    2.5,   5.0,  10.0,  30.0, 60.0, 300.0};
  std::array<std::int64_t, kBounds.size() + 1> counts{};
  std::int64_t count = 0;
  double sum = 0;

  void add(double seconds);
};

struct SchedulerStats {
  std::int64_t running = 0, waiting = 0;
  std::int64_t pages = 0, free_pages = 0, kept = 0;   ///< `kept`: sequences that have ended
  std::int64_t prompt_tokens = 0, reused_tokens = 0;  ///< in prompts that were read
  std::int64_t written_tokens = 0, steps = 0;
  std::int64_t preemptions = 0;          ///< requests that were put back for want of pages
  std::array<std::int64_t, 4> ended{};   ///< requests by StopReason
  std::int64_t failed = 0, refused = 0;  ///< `refused`: the queue was full
  SecondsHistogram queue, first_token, between_tokens, whole;
};

class Scheduler {
 public:
  using Id = std::uint64_t;
  struct Submission {
    ScheduledRequest request;
    std::shared_ptr<ScheduleSink> sink;
  };

  /// `ends`: tokens that end an answer, besides the vocabulary's EOS. The model must outlive it.
  Scheduler(const Model& model, std::shared_ptr<const Tokenizer> tokenizer,
            const EngineOptions& engine, const SchedulerOptions& options,
            std::vector<std::int32_t> ends = {});
  ~Scheduler();

  // ---- From any thread --------------------------------------------------------------------------

  /// Takes all of these requests, or none and returns nothing where there is no room for them in
  /// the queue. Throws Error for senseless options, an empty prompt, one that has no room, and
  /// after close().
  std::optional<std::vector<Id>> submit(std::vector<Submission> submissions);
  /// Ends the request with StopReason::Cancelled, where it has not ended yet.
  void cancel(Id id);
  /// run() ends everything that runs or waits with StopReason::Cancelled, and returns.
  void close();
  SchedulerStats stats() const;
  /// Most tokens of one conversation.
  std::int64_t context() const { return context_; }
  std::size_t cache_bytes() const { return engine_.cache_bytes(); }
  /// From the running thread.
  const StepLaunches& step_launches() const { return engine_.step_launches(); }
  const SchedulerOptions& options() const { return options_; }

  // ---- From one thread, whose team the products run on ------------------------------------------

  /// Steps until close().
  void run();
  /// One pass of the model. Returns whether anything still runs or waits.
  bool step();
  /// See Engine::warm_up(). Before run(), or from its thread.
  void warm_up() { engine_.warm_up(); }
  /// Gives back the pages of sequences that have ended.
  void forget_kept();

 private:
  struct Task;
  struct Kept;
  struct Part;
  struct Outcome;
  using Clock = std::chrono::steady_clock;

  void check(const ScheduledRequest& request) const;
  void hear();
  void admit();
  enum class Admission : std::uint8_t { Admitted, Later, NoRoom };
  Admission try_to_admit(Task& task);
  std::int64_t worth_sharing(std::int64_t alike, const Task& task) const;
  std::vector<Part> parts_of_step();
  void make_room(std::vector<Part>& parts);
  bool drop_oldest_kept();
  void put_back_youngest();
  void run_parts(const std::vector<Part>& parts);
  void run_apart(const std::vector<Part>& parts);
  Outcome sample_part(const Part& part, const Tensor& logits, std::int64_t row,
                      const std::optional<Candidate>& chosen) const;
  void tell(Task& task, Outcome outcome);
  std::optional<StopReason> write(Task& task, const Outcome& outcome);
  void end(Task& task, StopReason reason, std::exception_ptr failure = {});
  void keep(Task& task);
  void sweep();
  void publish();

  std::shared_ptr<const Tokenizer> tokenizer_;
  std::vector<std::int32_t> ends_;
  SchedulerOptions options_;
  Engine engine_;
  std::int64_t context_ = 0;
  // The running thread's own; the sequences go before the engine.
  std::deque<std::unique_ptr<Task>> queued_;
  std::vector<std::unique_ptr<Task>> running_;  ///< in the order in which they were admitted
  std::list<Kept> kept_;                        ///< the last used first

  mutable std::mutex mutex_;  ///< guards what follows
  std::condition_variable wake_;
  std::vector<std::unique_ptr<Task>> arrived_;
  std::set<Id> cancelled_;
  std::int64_t waiting_ = 0;  ///< arrived and queued
  Id next_id_ = 1;
  bool closed_ = false;
  SchedulerStats stats_;
};

}  // namespace tessera
