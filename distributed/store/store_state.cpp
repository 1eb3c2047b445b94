// SPDX-License-Identifier: MIT
#include "distributed/store/store_state.h"

#include <algorithm>

namespace tessera {

using wire::Answer, wire::Ask, wire::Reader, wire::Writer;

void StoreState::handle(int connection, std::string_view message, Time now) {
  Reader fields(message);
  const auto ask = static_cast<Ask>(fields.kind());
  if (ask == Ask::Join) return join(connection, fields, now);
  const auto member = members_.find(connection);
  require(member != members_.end(), "ranks", "a message came before its sender had joined");
  Rank& rank = ranks_[member->second.rank];
  rank.heard = now;
  if (ask == Ask::Beat) {
    rank.doing = fields.text();
    return;
  }
  if (ask == Ask::Leave) {
    member->second.left = true;
    return;
  }
  if (ask == Ask::About) return about(connection, fields, now);
  if (ask == Ask::Abort) {
    abort(std::string(fields.text()));
    return answer(connection, Answer::Value);
  }
  if (!aborted_.empty()) return answer(connection, Answer::Aborted, aborted_);
  switch (ask) {
    case Ask::Set: {
      std::string key(fields.text()), value(fields.text());
      set(std::move(key), std::move(value));
      return answer(connection, Answer::Value);
    }
    case Ask::Get:
    case Ask::Take:
      return get(connection, fields, ask == Ask::Take, now);
    case Ask::Add:
      return add(connection, fields);
    case Ask::Compare:
      return compare(connection, fields);
    case Ask::Gather:
      return gather(connection, fields, now);
    default:
      throw Error("ranks", "the store does not know this message");
  }
}

void StoreState::join(int connection, Reader& fields, Time now) {
  const auto rank = static_cast<int>(fields.number());
  const auto size = static_cast<int>(fields.number());
  const std::int64_t process = fields.number();
  const std::string host(fields.text());
  const bool watches = fields.number() != 0;
  if (size != size_ || rank < 0 || rank >= size_) {
    return answer(connection, Answer::Refused,
                  fmt::format("process {} on host {} comes as rank {} of {}, rank 0 was started as "
                              "one of {}",
                              process, host, rank, size, size_));
  }
  for (const auto& [other, member] : members_) {
    if (member.rank != rank || member.watches != watches) continue;
    return answer(connection, Answer::Refused,
                  fmt::format("process {} on host {} comes as rank {}, which {} is already",
                              process, host, rank, name_of(rank)));
  }
  ranks_[rank] = {process, host, "", now};
  if (!aborted_.empty()) return answer(connection, Answer::Aborted, aborted_);
  members_[connection] = {rank, watches, false};
  answer(connection, Answer::Value);
}

/// What a connection that ends without a farewell takes with it.
void StoreState::closed(int connection) {
  const auto found = members_.find(connection);
  if (const auto waits = waiting_.find(connection); waits != waiting_.end()) {
    waiting_for_[waits->second.key].erase(connection);
    waiting_.erase(waits);
  }
  for (auto& [key, gathering] : gatherings_) std::erase(gathering.connections, connection);
  if (found == members_.end()) return;
  const Member member = found->second;
  members_.erase(found);
  if (!member.left) abort(fmt::format("{} has gone without a word", name_of(member.rank)));
}

std::string StoreState::name_of(int rank) const {
  const auto found = ranks_.find(rank);
  if (found == ranks_.end()) return fmt::format("rank {}", rank);
  return fmt::format("rank {} (process {} on host {})", rank, found->second.process,
                     found->second.host);
}

void StoreState::abort(const std::string& reason) {
  if (!aborted_.empty()) return;  // the first reason is the cause
  aborted_ = reason;
  const auto waiting = std::exchange(waiting_, {});
  waiting_for_.clear();
  gatherings_.clear();
  for (const auto& [connection, what] : waiting) answer(connection, Answer::Aborted, aborted_);
  for (const auto& [connection, member] : members_) {
    if (member.watches) answer(connection, Answer::Aborted, aborted_);
  }
}

void StoreState::answer(int connection, Answer kind, std::string_view text) {
  tell_(connection, Writer(kind).text(text).take());
}

void StoreState::wait(int connection, Waiting waiting) {
  waiting_for_[waiting.key].insert(connection);
  waiting_[connection] = std::move(waiting);
}

void StoreState::set(std::string key, std::string value) {
  const auto waiting = waiting_for_.find(key);
  if (waiting != waiting_for_.end()) {
    // NOTE: those that only look come first, then the one that takes it away.
    std::vector<int> lookers, takers;
    for (const int connection : waiting->second) {
      (waiting_[connection].takes ? takers : lookers).push_back(connection);
    }
    bool taken = false;
    for (const int connection : lookers) {
      answer(connection, Answer::Value, value);
      waiting->second.erase(connection);
      waiting_.erase(connection);
    }
    if (!takers.empty()) {
      taken = true;
      answer(takers.front(), Answer::Value, value);
      waiting->second.erase(takers.front());
      waiting_.erase(takers.front());
    }
    if (waiting->second.empty()) waiting_for_.erase(waiting);
    if (taken) return;
  }
  values_[std::move(key)] = std::move(value);
}

void StoreState::get(int connection, Reader& fields, bool takes, Time now) {
  const std::string_view key = fields.text();
  const std::chrono::milliseconds patience(fields.number());
  const auto found = values_.find(key);
  if (found != values_.end()) {
    answer(connection, Answer::Value, found->second);
    if (takes) values_.erase(found);
    return;
  }
  if (patience.count() <= 0) return answer(connection, Answer::TimedOut);
  wait(connection, {std::string(key), false, takes, now + patience});
}

void StoreState::add(int connection, Reader& fields) {
  const std::string key(fields.text());
  std::int64_t sum = fields.number();
  const auto found = values_.find(key);
  if (found != values_.end()) {
    require(found->second.size() == sizeof sum, "ranks", "{} of the store is no number", key);
    std::int64_t before = 0;
    std::memcpy(&before, found->second.data(), sizeof before);
    sum += before;
  }
  const std::string value(reinterpret_cast<const char*>(&sum), sizeof sum);
  set(key, value);
  answer(connection, Answer::Value, value);
}

void StoreState::compare(int connection, Reader& fields) {
  const std::string key(fields.text()), expected(fields.text()), wanted(fields.text());
  const auto found = values_.find(key);
  const std::string now = found == values_.end() ? "" : found->second;
  if (now != expected) return answer(connection, Answer::Value, now);
  set(key, wanted);
  answer(connection, Answer::Value, wanted);
}

void StoreState::gather(int connection, Reader& fields, Time now) {
  const std::string key(fields.text());
  const std::int64_t index = fields.number(), count = fields.number();
  const std::chrono::milliseconds patience(fields.number());
  require(count >= 1 && count <= size_ && index >= 0 && index < count, "ranks",
          "there is no part {} of {}", index, count);
  Gathering& gathering = gatherings_[key];
  gathering.parts.resize(static_cast<std::size_t>(count));
  std::optional<std::string>& part = gathering.parts.at(static_cast<std::size_t>(index));
  require(!part, "ranks", "part {} of {} came twice", index, key);
  part = std::string(fields.text());
  gathering.connections.push_back(connection);
  if (++gathering.here < gathering.parts.size()) {
    return wait(connection, {key, true, false, now + patience});
  }
  Writer all(Answer::Value);
  for (const auto& one : gathering.parts) all.text(*one);
  const std::string message = all.take();
  for (const int to : gathering.connections) {
    waiting_.erase(to);
    tell_(to, message);
  }
  waiting_for_.erase(key);
  gatherings_.erase(key);
}

/// For the message of whoever waited in vain.
void StoreState::about(int connection, Reader& fields, Time now) {
  const auto rank = static_cast<int>(fields.number());
  const auto found = ranks_.find(rank);
  if (found == ranks_.end()) {
    return answer(connection, Answer::Value, fmt::format("rank {} never came", rank));
  }
  const std::chrono::duration<double> silent = now - found->second.heard;
  const std::string& doing = found->second.doing;
  answer(connection, Answer::Value,
         fmt::format("{} was last heard of {:.1f} s ago{}{}", name_of(rank), silent.count(),
                     doing.empty() ? "" : ", in ", doing));
}

std::optional<StoreState::Time> StoreState::next_deadline() const {
  std::optional<Time> next;
  for (const auto& [connection, waiting] : waiting_) {
    if (!next || waiting.until < *next) next = waiting.until;
  }
  return next;
}

void StoreState::end_waiting(Time now) {
  std::vector<int> late;
  for (const auto& [connection, waiting] : waiting_) {
    if (waiting.until <= now) late.push_back(connection);
  }
  for (const int connection : late) {
    const Waiting waiting = waiting_.at(connection);
    waiting_.erase(connection);
    waiting_for_[waiting.key].erase(connection);
    if (waiting_for_[waiting.key].empty()) waiting_for_.erase(waiting.key);
    time_out(connection, waiting);
  }
}

void StoreState::time_out(int connection, const Waiting& waiting) {
  Writer answer(Answer::TimedOut);
  if (waiting.gathers) {
    Gathering& gathering = gatherings_.at(waiting.key);
    std::erase(gathering.connections, connection);
    for (std::size_t i = 0; i < gathering.parts.size(); ++i) {
      if (!gathering.parts[i]) answer.number(static_cast<std::int64_t>(i));
    }
  }
  tell_(connection, answer.take());
}

}  // namespace tessera
