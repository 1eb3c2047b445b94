// SPDX-License-Identifier: MIT
// Decoding on the GPU: one token of each of some sequences is a step that reads all that differs
// from step to step from memory, so that it can be recorded; its rows are padded to few different
// numbers. Prompts go through the model as large as they can be, those that begin apart from those
// that go on.
#include <algorithm>
#include <bit>

#include "core/base/error.h"
#include "core/infer/engine.h"
#include "kernels/choose/choose.h"
#include "kernels/few_rows/few_rows.h"
#include "kernels/product/rows_alone.h"

namespace tessera {

namespace {
std::int64_t rows_in(std::span<const Append> work) {
  std::int64_t rows = 0;
  for (const Append& item : work) rows += std::min(item.logit_rows, std::ssize(item.tokens));
  return rows;
}
}  // namespace

bool Engine::takes_few(std::int64_t rows) const {
  const bool on_gpu = model_.device() == Device::Cuda;
  if (on_gpu && rows_alone_) return true;
  return in_steps_ && rows <= kernels::kFewRows && model_.takes_few_rows();
}

Pass Engine::pass_over(std::int64_t rows) {
  Pass pass{context_, keep_, model_.precision()};
  pass.few_rows = takes_few(rows);
  pass.rows_alone = rows_alone_;
  return pass;
}

/// How many items at the front are one token each of sequences, logits wanted.
std::size_t Engine::steps_of(std::span<const Append> work) const {
  const auto other = std::find_if(work.begin(), work.end(), [](const Append& item) {
    return item.tokens.size() != 1 || item.logit_rows != 1;
  });
  return static_cast<std::size_t>(other - work.begin());
}

void Engine::append_in_steps(std::span<const Append> work) {
  any_choice_ = std::any_of(work.begin(), work.end(), [](const Append& item) { return item.draw; });
  const std::int64_t rows = logits_.size(0);
  const auto bytes = static_cast<std::size_t>((rows + rows / 2 + 1) * kernels::kChosenColumns) * 4;
  if (any_choice_ && choices_memory_.bytes() < bytes) {
    choices_memory_ = {};  // before the larger one is taken
    choices_memory_ = Buffer(2 * bytes, model_.device());
    recordings_.clear();
  }
  const std::span<const Append> steps = work.first(steps_of(work));
  const auto most = static_cast<std::size_t>(options_.chunk_tokens);
  for (std::size_t from = 0; from < steps.size(); from += most) {
    run_step(steps.subspan(from, std::min(most, steps.size() - from)),
             static_cast<std::int64_t>(from));
  }
  const auto done = static_cast<std::int64_t>(steps.size());
  if (const auto rest = work.subspan(steps.size()); !rest.empty()) {
    append_in_chunks(rest, done, /*apart=*/true);
    if (any_choice_) choose_for_rest(rest, done);
  }
  hear_choices(work);
}

void Engine::run_step(std::span<const Append> work, std::int64_t logit_row) {
  const std::int64_t rows = step_rows(std::ssize(work), options_.chunk_tokens);
  std::int64_t most_pages = 0;
  for (const Append& item : work) {
    most_pages = std::max(most_pages, std::ssize(item.sequence->pages_));
  }
  const std::int64_t pages = step_pages(most_pages, std::max(most_pages, this->pages()));
  if (step_inputs_.begin(rows, pages)) recordings_.clear();
  for (const Append& item : work) {
    CachedSequence& s = *item.sequence;
    step_inputs_.add(item.tokens.front(), s.length_++, s.pages_, item.draw.value_or(DeviceDraw{}));
  }
  step_inputs_.pad(nobodys_page_);
  step_inputs_.send();

  const std::int64_t vocabulary = model_.config().vocab_size;
  const Tensor all = logits_memory_.view(logits_.dtype(), {logit_row + rows, vocabulary});
  const Tensor logits = all.slice(0, logit_row, logit_row + rows);
  const DecodeRecordings::Key key{
      .rows = rows,
      .pages = pages,
      .draws = any_choice_,
      .logits = logits.raw(),
      .rotary = model_.rotary(step_inputs_.tokens().sequences).cos.raw()};
  recordings_.run(context_, key, [&] {
    const kernels::RowsAlone alone(rows_alone_);
    Arena::Frame frame(keep_);
    Pass pass = pass_over(rows);
    const Tensor x = keep_.take(model_.precision().activation, {rows, model_.config().hidden_size});
    model_.forward_cached(pass, step_inputs_.tokens(), cache_, x);
    model_.logits_of(pass, x, logits);
    if (!any_choice_) return;
    const Tensor choices =
        choices_memory_.view(DType::I32, {logit_row + rows, kernels::kChosenColumns});
    kernels::choose(context_, logits, step_inputs_.draws(),
                    choices.slice(0, logit_row, logit_row + rows));
  });
}

void Engine::choose_for_rest(std::span<const Append> work, std::int64_t logit_row) {
  const std::int64_t rows = rows_in(work);
  if (rows == 0) return;
  rest_inputs_.begin(rows, 1);
  for (const Append& item : work) {
    const std::int64_t own = std::min(item.logit_rows, std::ssize(item.tokens));
    for (std::int64_t row = 0; row < own; ++row) {
      const bool is_last = row + 1 == own;
      rest_inputs_.add(0, 0, {nobodys_page_},
                       is_last ? item.draw.value_or(DeviceDraw{}) : DeviceDraw{});
    }
  }
  rest_inputs_.send();
  const Tensor choices =
      choices_memory_.view(DType::I32, {logit_row + rows, kernels::kChosenColumns});
  kernels::choose(context_, logits_.slice(0, logit_row, logit_row + rows), rest_inputs_.draws(),
                  choices.slice(0, logit_row, logit_row + rows));
}

/// Brings what was chosen to the host, which waits for the device here.
void Engine::hear_choices(std::span<const Append> work) {
  if (!any_choice_) return;
  const std::int64_t rows = logits_.size(0);
  std::vector<std::int32_t> heard(static_cast<std::size_t>(rows * kernels::kChosenColumns));
  if (model_.device() == Device::Cuda) {
    cuda_memory().copy(heard.data(), choices_memory_.data(), heard.size() * sizeof heard[0]);
  } else {
    std::copy_n(static_cast<const std::int32_t*>(choices_memory_.data()), heard.size(),
                heard.begin());
  }
  std::int64_t row = 0;
  for (std::size_t i = 0; i < work.size(); ++i) {
    row += std::min(work[i].logit_rows, std::ssize(work[i].tokens));
    if (!work[i].draw) continue;
    require(work[i].logit_rows > 0, "engine", "a token is to be chosen without logits");
    const std::int32_t* of_row = heard.data() + (row - 1) * kernels::kChosenColumns;
    if (of_row[kernels::kChosenBroken] > 0) continue;
    chosen_[i] = Candidate{of_row[kernels::kChosenId],
                           std::bit_cast<float>(of_row[kernels::kChosenProbability])};
  }
}

}  // namespace tessera
