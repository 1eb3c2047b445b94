// SPDX-License-Identifier: MIT
#include "core/infer/scheduler.h"

#include <algorithm>
#include <utility>

#include "core/base/threads.h"

namespace tessera {

namespace {
/// A request waits for another one that is just reading what both begin with, where that is as much
/// as this.
constexpr std::int64_t kWorthWaiting = 8;
/// Logits of a prompt that exist at a time.
constexpr std::int64_t kLogprobRows = 64;

double seconds_between(std::chrono::steady_clock::time_point from,
                       std::chrono::steady_clock::time_point to) {
  return std::chrono::duration<double>(to - from).count();
}

std::int64_t common_length(const std::vector<std::int32_t>& a, const std::vector<std::int32_t>& b) {
  return std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first - a.begin();
}
}  // namespace

void SecondsHistogram::add(double seconds) {
  const auto at = std::lower_bound(kBounds.begin(), kBounds.end(), seconds) - kBounds.begin();
  ++counts[static_cast<std::size_t>(at)];
  ++count;
  sum += seconds;
}

/// A request from its arrival to its end.
struct Scheduler::Task {
  Task(Id number, Submission submission, const std::shared_ptr<const Tokenizer>& tokenizer)
      : id(number),
        request(std::move(submission.request)),
        sink(std::move(submission.sink)),
        ids(request.prompt),
        text(tokenizer, request.prompt, request.stop_texts, request.spelled) {
    if (!request.constraint) return;
    const bool begins_text = tokenizer->is_special(request.prompt.back());
    follows.emplace(request.constraint, request.generate.stop,
                    begins_text && tokenizer->adds_leading_space());
  }

  /// Tokens that the model has not read.
  std::int64_t left() const { return std::ssize(ids) - sequence->length(); }
  std::int64_t written() const { return std::ssize(ids) - std::ssize(request.prompt); }
  bool wants_prompt_logprobs() const { return request.prompt_logprobs && !told_prompt; }
  /// What the device needs to choose the next token; nothing where that takes a look at the logits
  /// or at the text.
  std::optional<DeviceDraw> draw() const {
    const GenerateOptions& options = request.generate;
    if (follows || request.logprobs >= 0 || options.alternatives > 0 || options.max_tokens == 0)
      return {};
    return device_draw(options.sampling, static_cast<std::uint64_t>(written()));
  }

  Id id;
  ScheduledRequest request;
  std::shared_ptr<ScheduleSink> sink;
  std::vector<std::int32_t> ids;           ///< the prompt and what was written
  std::optional<CachedSequence> sequence;  ///< while it runs
  AnswerText text;
  std::optional<ConstraintCursor> follows;  ///< where the answer stands in its grammar
  ScheduledPrompt prompt;
  bool admitted = false, told_prompt = false, ended = false;
  Clock::time_point arrived_at = Clock::now(), last_token_at;
};

/// A sequence that has ended, and the ids it holds.
struct Scheduler::Kept {
  std::vector<std::int32_t> ids;
  CachedSequence sequence;
};

/// What one task brings to a step.
struct Scheduler::Part {
  Part(Task* whose, std::int64_t count)
      : task(whose), tokens(count), from(whose->sequence->length()) {}
  Task* task;
  std::int64_t tokens, from;  ///< `from`: length of the sequence before the step

  bool is_last() const { return tokens == task->left(); }
  std::int64_t logit_rows() const {
    if (task->wants_prompt_logprobs()) return tokens;
    return is_last() ? 1 : 0;
  }
};

/// What came of it.
struct Scheduler::Outcome {
  bool whole = false;  ///< everything is read: there is a choice
  Choice choice;
  std::optional<TokenLogprobs> logprobs;
  std::vector<TokenLogprobs> prompt_logprobs;
  std::exception_ptr failure;
};

Scheduler::Scheduler(const Model& model, std::shared_ptr<const Tokenizer> tokenizer,
                     const EngineOptions& engine, const SchedulerOptions& options,
                     std::vector<std::int32_t> ends)
    : tokenizer_(std::move(tokenizer)),
      ends_(std::move(ends)),
      options_(options),
      engine_(model, engine),
      context_(engine_.room(engine_.open())) {
  require(options.most_running > 0 && options.most_waiting > 0 && options.most_kept >= 0,
          "scheduler", "it has room for {} running and {} waiting requests", options.most_running,
          options.most_waiting);
  options_.step_tokens = std::max(options.step_tokens, options.most_running);
  if (tokenizer_->specials().eos >= 0) ends_.push_back(tokenizer_->specials().eos);
  publish();
}

Scheduler::~Scheduler() = default;

// ---- Any thread ---------------------------------------------------------------------------------

void Scheduler::check(const ScheduledRequest& request) const {
  if (request.prompt.empty()) {
    throw Error("request", "the prompt is empty, and the model begins with no token of its own",
                "give a prompt of one character or more");
  }
  for (const std::int32_t id : request.prompt) tokenizer_->bytes_of(id);  // throws for a wrong id
  if (std::ssize(request.prompt) > context_) {
    throw Error("request",
                fmt::format("the prompt has {} tokens, and the context has room for {}",
                            request.prompt.size(), context_),
                "shorten the prompt");
  }
  if (request.constraint && request.constraint->trie().vocab_size() != tokenizer_->vocab_size()) {
    throw Error("request", "the grammar is for another vocabulary");
  }
  if (request.generate.max_tokens != 0) return request.generate.validate();
  request.generate.sampling.validate();
}

std::optional<std::vector<Scheduler::Id>> Scheduler::submit(std::vector<Submission> submissions) {
  std::vector<std::unique_ptr<Task>> tasks;
  for (Submission& one : submissions) {
    check(one.request);
    GenerateOptions& generate = one.request.generate;
    generate.sampling.vocabulary = tokenizer_->vocab_size();
    if (!one.request.ignore_ends) {
      generate.stop.insert(generate.stop.end(), ends_.begin(), ends_.end());
    }
    tasks.push_back(std::make_unique<Task>(0, std::move(one), tokenizer_));
  }
  const std::lock_guard lock(mutex_);
  if (closed_) throw Error("scheduler", "it takes no more requests: the program ends");
  if (waiting_ + std::ssize(tasks) > options_.most_waiting) {
    stats_.refused += std::ssize(tasks);
    return {};
  }
  std::vector<Id> ids;
  for (auto& task : tasks) {
    ids.push_back(task->id = next_id_++);
    arrived_.push_back(std::move(task));
  }
  waiting_ += std::ssize(ids);
  wake_.notify_one();
  return ids;
}

void Scheduler::cancel(Id id) {
  const std::lock_guard lock(mutex_);
  cancelled_.insert(id);
  wake_.notify_one();
}

void Scheduler::close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  wake_.notify_one();
}

SchedulerStats Scheduler::stats() const {
  const std::lock_guard lock(mutex_);
  SchedulerStats stats = stats_;
  stats.waiting = waiting_;
  return stats;
}

// ---- The running thread -------------------------------------------------------------------------

void Scheduler::run() {
  bool busy = false;
  while (true) {
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [&] { return busy || closed_ || !arrived_.empty() || !cancelled_.empty(); });
      if (closed_) break;
    }
    busy = step();
  }
  hear();
  for (auto& task : running_) end(*task, StopReason::Cancelled);
  for (auto& task : queued_) end(*task, StopReason::Cancelled);
  sweep();
  publish();
}

bool Scheduler::step() {
  hear();
  sweep();
  admit();
  std::vector<Part> parts = parts_of_step();
  make_room(parts);
  if (!parts.empty()) run_parts(parts);
  sweep();
  publish();
  return !running_.empty() || !queued_.empty();
}

/// Takes what other threads have asked for.
void Scheduler::hear() {
  std::set<Id> cancelled;
  {
    const std::lock_guard lock(mutex_);
    for (auto& task : arrived_) queued_.push_back(std::move(task));
    arrived_.clear();
    cancelled.swap(cancelled_);
  }
  if (cancelled.empty()) return;
  for (auto& task : running_) {
    if (cancelled.contains(task->id)) end(*task, StopReason::Cancelled);
  }
  for (auto& task : queued_) {
    if (cancelled.contains(task->id)) end(*task, StopReason::Cancelled);
  }
}

/// Lets go of tasks that have ended.
void Scheduler::sweep() {
  std::erase_if(running_, [](const auto& task) { return task->ended; });
  const auto gone = std::erase_if(queued_, [](const auto& task) { return task->ended; });
  const std::lock_guard lock(mutex_);
  waiting_ -= static_cast<std::int64_t>(gone);
}

void Scheduler::publish() {
  const std::lock_guard lock(mutex_);
  stats_.running = std::ssize(running_);
  stats_.pages = engine_.pages();
  stats_.free_pages = engine_.free_pages();
  stats_.kept = std::ssize(kept_);
}

// ---- Admission ----------------------------------------------------------------------------------

/// Requests come in the order in which they arrived, but for those that wait for another one's
/// prompt to be read.
void Scheduler::admit() {
  for (auto at = queued_.begin();
       at != queued_.end() && std::ssize(running_) < options_.most_running;) {
    const Admission admission = try_to_admit(**at);
    if (admission == Admission::NoRoom) return;
    if (admission == Admission::Later) {
      ++at;
      continue;
    }
    Task& task = **at;
    const std::lock_guard lock(mutex_);
    if (!std::exchange(task.admitted, true)) {
      stats_.queue.add(seconds_between(task.arrived_at, Clock::now()));
    }
    --waiting_;
    running_.push_back(std::move(*at));
    at = queued_.erase(at);
  }
}

/// How many of the `alike` tokens at the front are taken from the cache: all, or none where the
/// whole prompt is read as fast.
std::int64_t Scheduler::worth_sharing(std::int64_t alike, const Task& task) const {
  const bool pays = !engine_.reads_beginnings_faster() || 2 * alike >= std::ssize(task.ids);
  return pays ? alike : 0;
}

/// Finds the longest beginning that is in the cache, and takes the pages for the rest.
Scheduler::Admission Scheduler::try_to_admit(Task& task) {
  // The last token is read in any case: its logits are wanted.
  const std::int64_t most = task.wants_prompt_logprobs() ? 0 : std::ssize(task.ids) - 1;
  const CachedSequence* best = nullptr;
  std::int64_t shared = 0, soon = 0;
  const auto look = [&](const std::vector<std::int32_t>& ids, const CachedSequence& sequence) {
    const std::int64_t alike = std::min(common_length(ids, task.ids), most);
    const std::int64_t there = worth_sharing(std::min(alike, sequence.length()), task);
    if (there > shared) {
      shared = there;
      best = &sequence;
    }
    return worth_sharing(alike, task);
  };
  auto kept = kept_.end();
  for (auto at = kept_.begin(); at != kept_.end(); ++at) {
    const CachedSequence* before = best;
    look(at->ids, at->sequence);
    if (best != before) kept = at;
  }
  for (const auto& other : running_) {
    if (!other->ended) soon = std::max(soon, look(other->ids, *other->sequence));
  }
  if (soon >= shared + kWorthWaiting) return Admission::Later;

  task.sequence.emplace(best ? engine_.fork(*best, shared) : engine_.open());
  if (kept != kept_.end() && best == &kept->sequence) {
    kept_.splice(kept_.begin(), kept_, kept);
  }
  // Each that runs may need a page soon; without one it would be put back at once.
  const auto has_room = [&] {
    return engine_.pages_needed(*task.sequence, task.left()) + std::ssize(running_) <=
           engine_.free_pages();
  };
  while (!has_room()) {
    if (drop_oldest_kept()) continue;
    task.sequence.reset();
    return Admission::NoRoom;
  }
  engine_.reserve(*task.sequence, task.left());
  if (!task.told_prompt) task.prompt = {std::ssize(task.request.prompt), shared, {}};
  return Admission::Admitted;
}

bool Scheduler::drop_oldest_kept() {
  if (kept_.empty()) return false;
  kept_.pop_back();
  return true;
}

void Scheduler::forget_kept() {
  kept_.clear();
  publish();
}

// ---- A step -------------------------------------------------------------------------------------

/// Every answer goes on by a token; what is left of the step goes to prompts. Where prompts are
/// read apart from answers they have the whole step, and a prompt joins another one's only with all
/// that is left of it: what begins a prompt is read faster than what goes on with it.
std::vector<Scheduler::Part> Scheduler::parts_of_step() {
  std::vector<Part> parts;
  std::int64_t room = options_.step_tokens;
  const bool apart = engine_.reads_prompts_apart();
  bool any_prompt = false;
  for (const auto& task : running_) {
    if (task->left() > 1) continue;
    parts.emplace_back(task.get(), 1);
    if (!apart) --room;
  }
  for (const auto& task : running_) {
    const std::int64_t left = task->left();
    if (left <= 1 || room == 0) continue;
    const std::int64_t most = task->wants_prompt_logprobs() ? std::min(room, kLogprobRows) : room;
    if (apart && std::exchange(any_prompt, true) && left > most) continue;
    parts.emplace_back(task.get(), std::min(left, most));
    room -= parts.back().tokens;
  }
  return parts;
}

/// Sees to it that there are pages for all parts: from sequences that have ended, else from the
/// youngest that runs, which is put back into the queue and read again later.
void Scheduler::make_room(std::vector<Part>& parts) {
  const auto wanted = [&] {
    std::int64_t pages = 0;
    for (const Part& part : parts) {
      pages += engine_.pages_needed(*part.task->sequence, part.tokens);
    }
    return pages;
  };
  while (wanted() > engine_.free_pages()) {
    if (drop_oldest_kept()) continue;
    const Task* youngest = running_.back().get();
    std::erase_if(parts, [&](const Part& part) { return part.task == youngest; });
    put_back_youngest();
  }
}

void Scheduler::put_back_youngest() {
  std::unique_ptr<Task> task = std::move(running_.back());
  running_.pop_back();
  if (running_.empty()) return end(*task, StopReason::Full);  // it has the whole cache
  task->sequence.reset();
  queued_.push_front(std::move(task));
  const std::lock_guard lock(mutex_);
  ++waiting_;
  ++stats_.preemptions;
}

/// A pass that fails says nothing about who brought the fault: each part is run alone then, and
/// only those that fail again end with it.
void Scheduler::run_apart(const std::vector<Part>& parts) {
  if (parts.size() == 1) {
    Task& task = *parts.front().task;
    task.sequence.reset();  // nobody knows what it holds
    return end(task, StopReason::Cancelled, std::current_exception());
  }
  for (const Part& part : parts) part.task->sequence->truncate(part.from);
  for (const Part& part : parts) run_parts({part});
}

void Scheduler::run_parts(const std::vector<Part>& parts) {
  std::vector<Append> work;
  std::vector<std::int64_t> rows{0};
  for (const Part& part : parts) {
    const auto tokens = std::span(part.task->ids)
                            .subspan(static_cast<std::size_t>(part.task->sequence->length()),
                                     static_cast<std::size_t>(part.tokens));
    work.push_back({&*part.task->sequence, tokens, part.logit_rows()});
    if (engine_.chooses() && part.is_last()) work.back().draw = part.task->draw();
    rows.push_back(rows.back() + part.logit_rows());
  }
  const Tensor* read = nullptr;
  try {
    read = &engine_.append(work);
  } catch (...) {
    return run_apart(parts);
  }
  const Tensor& logits = *read;
  std::vector<Outcome> outcomes(parts.size());
  parallel_for(std::ssize(parts), 1, [&](std::int64_t from, std::int64_t to) {
    for (std::int64_t i = from; i < to; ++i) {
      const auto at = static_cast<std::size_t>(i);
      outcomes[at] = sample_part(parts[at], logits, rows[at], engine_.chosen(at));
    }
  });
  for (std::size_t i = 0; i < parts.size(); ++i) tell(*parts[i].task, std::move(outcomes[i]));
  const std::lock_guard lock(mutex_);
  ++stats_.steps;
}

/// `row` is the first of the part's rows of logits, `chosen` what the device has chosen from the
/// last of them. What fails here concerns this request alone.
Scheduler::Outcome Scheduler::sample_part(const Part& part, const Tensor& logits, std::int64_t row,
                                          const std::optional<Candidate>& chosen) const {
  Task& task = *part.task;  // no other part of the step has it
  const ScheduledRequest& request = task.request;
  const SamplingOptions& sampling = request.generate.sampling;
  Outcome outcome;
  outcome.whole = task.left() == 0;
  try {
    const auto best = static_cast<std::size_t>(std::max<std::int64_t>(request.logprobs, 0));
    if (task.wants_prompt_logprobs()) {
      std::int64_t position = task.sequence->length() - part.tokens;
      for (std::int64_t i = 0; i < part.tokens; ++i) {
        if (++position >= std::ssize(request.prompt)) break;
        outcome.prompt_logprobs.push_back(logprobs_of(
            logits_row(logits, row + i), request.prompt[static_cast<std::size_t>(position)], best,
            sampling.vocabulary));
      }
      row += part.tokens - 1;
    }
    if (!outcome.whole || request.generate.max_tokens == 0) return outcome;
    if (chosen) {
      outcome.choice.chosen = *chosen;
      return outcome;
    }
    const std::vector<float> last = logits_row(logits, row);
    outcome.choice =
        sample(last, sampling, static_cast<std::uint64_t>(task.written()), task.ids,
               request.generate.alternatives, task.follows ? &task.follows->allowed() : nullptr);
    if (request.logprobs >= 0) {
      outcome.logprobs = logprobs_of(last, outcome.choice.chosen.id, best, sampling.vocabulary);
    }
  } catch (...) {
    outcome.failure = std::current_exception();
  }
  return outcome;
}

void Scheduler::tell(Task& task, Outcome outcome) {
  if (outcome.failure) return end(task, StopReason::Cancelled, outcome.failure);
  std::vector<TokenLogprobs>& logprobs = task.prompt.logprobs;
  if (task.wants_prompt_logprobs()) {
    if (logprobs.empty()) logprobs.push_back({task.request.prompt.front(), 0.f, {}});
    std::move(outcome.prompt_logprobs.begin(), outcome.prompt_logprobs.end(),
              std::back_inserter(logprobs));
  }
  if (!outcome.whole) return;
  const auto now = Clock::now();
  if (!task.told_prompt) {
    {
      const std::lock_guard lock(mutex_);
      stats_.prompt_tokens += task.prompt.tokens;
      stats_.reused_tokens += task.prompt.reused;
      stats_.first_token.add(seconds_between(task.arrived_at, now));
    }
    task.sink->on_prompt(std::exchange(task.prompt, {}));
    task.told_prompt = true;
  } else {
    const std::lock_guard lock(mutex_);
    stats_.between_tokens.add(seconds_between(task.last_token_at, now));
  }
  task.last_token_at = now;
  if (const std::optional<StopReason> reason = write(task, outcome)) end(task, *reason);
}

/// Adds the token to the answer. Returns why the answer ends, where it does.
std::optional<StopReason> Scheduler::write(Task& task, const Outcome& outcome) {
  const GenerateOptions& options = task.request.generate;
  if (options.max_tokens == 0) return StopReason::Length;
  const std::int32_t id = outcome.choice.chosen.id;
  if (std::find(options.stop.begin(), options.stop.end(), id) != options.stop.end()) {
    return StopReason::Stop;
  }
  if (task.follows) task.follows->advance(id);
  task.ids.push_back(id);
  {
    const std::lock_guard lock(mutex_);
    ++stats_.written_tokens;
  }
  if (!task.sink->on_token({outcome.choice, task.text.push(id), outcome.logprobs})) {
    return StopReason::Cancelled;
  }
  if (task.text.stopped() || (task.follows && task.follows->must_end())) return StopReason::Stop;
  if (options.max_tokens > 0 && task.written() >= options.max_tokens) return StopReason::Length;
  if (std::ssize(task.ids) > context_) return StopReason::Full;
  return {};
}

void Scheduler::end(Task& task, StopReason reason, std::exception_ptr failure) {
  if (std::exchange(task.ended, true)) return;
  {
    const std::lock_guard lock(mutex_);
    if (failure) {
      ++stats_.failed;
    } else {
      ++stats_.ended[static_cast<std::size_t>(reason)];
    }
    stats_.whole.add(seconds_between(task.arrived_at, Clock::now()));
  }
  if (!failure) keep(task);
  task.sequence.reset();
  task.sink->on_end({reason, task.text.finish(), task.written(), failure});
}

/// Leaves the pages of a sequence to those that begin alike.
void Scheduler::keep(Task& task) {
  if (!task.sequence || task.sequence->length() == 0 || options_.most_kept == 0) return;
  const auto length = static_cast<std::ptrdiff_t>(task.sequence->length());
  Kept made{{task.ids.begin(), task.ids.begin() + length}, std::move(*task.sequence)};
  made.sequence.truncate(length);  // gives back the pages that were taken and not written to
  std::erase_if(kept_, [&](const Kept& other) {
    return common_length(other.ids, made.ids) == std::ssize(other.ids);
  });
  kept_.push_front(std::move(made));
  if (std::ssize(kept_) > options_.most_kept) kept_.pop_back();
}

}  // namespace tessera
