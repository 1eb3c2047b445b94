// SPDX-License-Identifier: MIT
#include "core/base/agreement.h"

#include <algorithm>
#include <cstdint>

#include "core/base/error.h"
#include "core/base/progress.h"

namespace tessera {

namespace {
bool is_alone(const Communicator* ranks) {
  return !ranks || ranks->size() == 1;
}

/// A view of a text as bytes. What is sent is not written to.
Tensor bytes_of(const std::string& text) {
  return {const_cast<char*>(text.data()), DType::U8, {std::ssize(text)}};
}
}  // namespace

std::vector<std::string> gather_texts(Communicator* ranks, const std::string& text) {
  if (is_alone(ranks)) return {text};
  Context control;
  const auto count = static_cast<std::size_t>(ranks->size());
  std::int64_t length = std::ssize(text);
  std::vector<std::int64_t> lengths(count);
  ranks->all_gather(control, Tensor(&length, DType::I64, {1}),
                    Tensor(lengths.data(), DType::I64, {std::ssize(lengths)}));
  const std::int64_t longest = *std::max_element(lengths.begin(), lengths.end());
  std::vector<std::string> texts(count);
  if (longest == 0) return texts;
  std::string padded = text, all(count * static_cast<std::size_t>(longest), '\0');
  padded.resize(static_cast<std::size_t>(longest));
  ranks->all_gather(control, bytes_of(padded), bytes_of(all));
  for (std::size_t i = 0; i < count; ++i) {
    texts[i] =
        all.substr(i * static_cast<std::size_t>(longest), static_cast<std::size_t>(lengths[i]));
  }
  return texts;
}

std::string text_of_rank(Communicator* ranks, const std::string& text, int from) {
  if (is_alone(ranks)) return text;
  Context control;
  std::int64_t length = std::ssize(text);
  ranks->broadcast(control, Tensor(&length, DType::I64, {1}), from);
  std::string shared = ranks->rank() == from ? text : std::string();
  shared.resize(static_cast<std::size_t>(length));
  if (length > 0) ranks->broadcast(control, bytes_of(shared), from);
  return shared;
}

namespace {
// How a rank's work ended: the first character of what it tells the others. The parts of an Error
// follow, each after a character that is in no message.
constexpr char kStopped = 'S', kFailed = 'F', kNext = '\0';

std::string told(const std::exception_ptr& problem) {
  if (!problem) return {};
  try {
    std::rethrow_exception(problem);
  } catch (const Stopped& stopped) {
    return kStopped + stopped.where();
  } catch (const Error& error) {
    return kFailed + error.where() + kNext + error.what_failed() + kNext + error.hint();
  } catch (const std::exception& error) {
    return kFailed + std::string("ranks") + kNext + error.what() + kNext;
  } catch (...) {
    return kFailed + std::string("ranks") + kNext + "an unknown exception" + kNext;
  }
}

[[noreturn]] void throw_heard(std::size_t rank, const std::string& text) {
  const std::size_t what = text.find(kNext), hint = text.find(kNext, what + 1);
  throw Error(text.substr(1, what - 1),
              fmt::format("rank {}: {}", rank, text.substr(what + 1, hint - what - 1)),
              text.substr(hint + 1));
}
}  // namespace

void agree(Communicator* ranks, const std::exception_ptr& problem) {
  std::vector<std::string> all = {told(problem)};
  if (!is_alone(ranks)) {
    const Communicator::LongWait wait(*ranks);  // the work of some may take its time
    all = gather_texts(ranks, all[0]);
  }
  if (problem) std::rethrow_exception(problem);
  for (std::size_t rank = 0; rank < all.size(); ++rank) {
    if (all[rank].starts_with(kFailed)) throw_heard(rank, all[rank]);
  }
  for (const std::string& text : all) {
    if (text.starts_with(kStopped)) throw Stopped(text.substr(1));
  }
}

}  // namespace tessera
