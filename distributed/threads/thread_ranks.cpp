// SPDX-License-Identifier: MIT
#include "distributed/threads/thread_ranks.h"

#include <condition_variable>
#include <cstring>
#include <deque>
#include <map>
#include <mutex>
#include <set>

#include "core/base/error.h"
#include "distributed/ordered_sum.h"

namespace tessera {

namespace {

using Kind = Communication::Kind;

/// What all groups of one family of ranks share: an error anywhere ends the waiting everywhere.
struct Family {
  std::mutex mutex;
  std::condition_variable changed;
  std::string aborted;

  void throw_if_aborted() const {
    if (!aborted.empty()) throw Error("ranks", aborted);
  }
};

std::size_t bytes_of(const Tensor& x) {
  return static_cast<std::size_t>(x.numel()) * size_of(x.dtype());
}

bool same_size(const Tensor& a, const Tensor& b) {
  return bool(a) == bool(b) && (!a || (a.dtype() == b.dtype() && a.numel() == b.numel()));
}

/// The calls of one collective operation by rank, carried out by the last rank to come.
using Calls = std::vector<Communication>;

/// What the calls do not agree about; empty where they fit together.
std::string mismatch(const Calls& calls) {
  for (std::size_t rank = 1; rank < calls.size(); ++rank) {
    const Communication &first = calls[0], &other = calls[rank];
    if (first.kind == other.kind && first.peer == other.peer && first.kind != Kind::AllToAll &&
        same_size(first.send, other.send) && same_size(first.receive, other.receive)) {
      continue;
    }
    if (first.kind == Kind::AllToAll && other.kind == Kind::AllToAll) continue;
    return fmt::format("rank {} came with {} where rank 0 has {}", rank, other.describe(),
                       first.describe());
  }
  if (calls[0].kind != Kind::AllToAll) return {};
  for (std::size_t to = 0; to < calls.size(); ++to) {
    for (std::size_t from = 0; from < calls.size(); ++from) {
      const std::int64_t sent = calls[from].send_rows[to], taken = calls[to].receive_rows[from];
      if (sent == taken) continue;
      return fmt::format("rank {} sends {} rows to rank {}, which takes {}", from, sent, to, taken);
    }
  }
  return {};
}

/// The sum of every rank's tensor, in the order of ranks.
template <class T>
void sum_run(const Calls& calls, T* to, std::int64_t count) {
  std::vector<const T*> ranks;
  for (const Communication& call : calls) ranks.push_back(call.send.data<T>());
  sum_in_order<T>(ranks, to, count);
}

template <class T>
void all_reduce(const Calls& calls) {
  const Tensor& first = calls[0].receive;
  sum_run<T>(calls, first.data<T>(), first.numel());
  for (std::size_t rank = 1; rank < calls.size(); ++rank) {
    std::memcpy(calls[rank].receive.raw(), first.raw(), bytes_of(first));
  }
}

template <class T>
void reduce_scatter(const Calls& calls) {
  std::vector<T> all(static_cast<std::size_t>(calls[0].send.numel()));
  sum_run<T>(calls, all.data(), std::ssize(all));
  const std::int64_t share = calls[0].receive.numel();
  for (std::size_t rank = 0; rank < calls.size(); ++rank) {
    std::memcpy(calls[rank].receive.raw(), all.data() + static_cast<std::int64_t>(rank) * share,
                bytes_of(calls[rank].receive));
  }
}

void all_gather(const Calls& calls) {
  for (const Communication& to : calls) {
    auto* at = static_cast<std::byte*>(to.receive.raw());
    for (const Communication& from : calls) {
      std::memmove(at, from.send.raw(), bytes_of(from.send));
      at += bytes_of(from.send);
    }
  }
}

void all_to_all(const Calls& calls) {
  const std::size_t row =
      calls[0].send.rank() == 2
          ? static_cast<std::size_t>(calls[0].send.size(1)) * size_of(calls[0].send.dtype())
          : 0;
  std::vector<const std::byte*> next;
  for (const Communication& call : calls) {
    next.push_back(static_cast<const std::byte*>(call.send.raw()));
  }
  for (const Communication& to : calls) {
    auto* at = static_cast<std::byte*>(to.receive.raw());
    for (std::size_t from = 0; from < calls.size(); ++from) {
      const std::size_t bytes = row * static_cast<std::size_t>(to.receive_rows[from]);
      std::memcpy(at, next[from], bytes);
      next[from] += bytes;
      at += bytes;
    }
  }
}

void broadcast(const Calls& calls) {
  const Tensor& source = calls[static_cast<std::size_t>(calls[0].peer)].send;
  for (const Communication& to : calls) {
    if (to.receive.raw() != source.raw()) {
      std::memcpy(to.receive.raw(), source.raw(), bytes_of(source));
    }
  }
}

void carry_out_together(const Calls& calls) {
  switch (calls[0].kind) {
    case Kind::AllReduce:
      return for_sum_type(calls[0].send.dtype(), [&]<class T>(T) { all_reduce<T>(calls); });
    case Kind::ReduceScatter:
      return for_sum_type(calls[0].send.dtype(), [&]<class T>(T) { reduce_scatter<T>(calls); });
    case Kind::AllGather:
      return all_gather(calls);
    case Kind::AllToAll:
      return all_to_all(calls);
    case Kind::Broadcast:
      return broadcast(calls);
    case Kind::Send:
    case Kind::Receive:
    case Kind::Barrier:
      return;
  }
}

/// Where the ranks of one group meet.
class Group {
 public:
  Group(std::shared_ptr<Family> family, int size)
      : family_(std::move(family)), calls_(static_cast<std::size_t>(size)) {}

  int size() const { return static_cast<int>(calls_.size()); }
  const std::shared_ptr<Family>& family() const { return family_; }

  /// All show their calls, the last one to come works on them while the others wait, all go on.
  template <class Work>
  void meet(int rank, const Communication& call, const Work& work) {
    std::unique_lock lock(family_->mutex);
    family_->throw_if_aborted();
    calls_[static_cast<std::size_t>(rank)] = call;
    const std::uint64_t round = round_;
    if (++here_ == calls_.size()) {
      here_ = 0;
      family_->aborted = mismatch(calls_);
      if (family_->aborted.empty()) work(calls_);
      ++round_;
      family_->changed.notify_all();
    } else {
      family_->changed.wait(lock, [&] { return round_ != round || !family_->aborted.empty(); });
    }
    family_->throw_if_aborted();
  }

  void send(int from, const Communication& call) {
    const std::lock_guard lock(family_->mutex);
    family_->throw_if_aborted();
    const auto* bytes = static_cast<const std::byte*>(call.send.raw());
    mail_[{from, call.peer}].push_back({call.send.describe(), {bytes, bytes + call.bytes()}});
    family_->changed.notify_all();
  }

  void receive(int to, const Communication& call) {
    std::unique_lock lock(family_->mutex);
    auto& letters = mail_[{call.peer, to}];
    family_->changed.wait(lock, [&] { return !letters.empty() || !family_->aborted.empty(); });
    family_->throw_if_aborted();
    const Letter letter = std::move(letters.front());
    letters.pop_front();
    require(std::ssize(letter.bytes) == call.bytes(), "ranks",
            "rank {} sent {} where rank {} takes {}", call.peer, letter.what, to,
            call.receive.describe());
    std::memcpy(call.receive.raw(), letter.bytes.data(), letter.bytes.size());
  }

  /// The group of a colour, made by the first of its ranks to ask after all have met.
  std::shared_ptr<Group> part(std::uint64_t split, int colour, int size) {
    const std::lock_guard lock(family_->mutex);
    std::weak_ptr<Group>& known = parts_[{split, colour}];
    std::shared_ptr<Group> group = known.lock();
    if (!group) known = group = std::make_shared<Group>(family_, size);
    return group;
  }

 private:
  struct Letter {
    std::string what;
    std::vector<std::byte> bytes;
  };
  std::shared_ptr<Family> family_;
  Calls calls_;
  std::size_t here_ = 0;
  std::uint64_t round_ = 0;
  std::map<std::pair<int, int>, std::deque<Letter>> mail_;  ///< by sender and receiver
  std::map<std::pair<std::uint64_t, int>, std::weak_ptr<Group>> parts_;
};

class ThreadRank : public Communicator {
 public:
  /// `number`: the rank's in the whole family, for messages.
  ThreadRank(std::shared_ptr<Group> group, int rank, int number)
      : group_(std::move(group)), rank_(rank), number_(number) {}

  int rank() const override { return rank_; }
  int size() const override { return group_->size(); }

 protected:
  std::unique_ptr<Communicator> make_group(int colour) override {
    std::vector<std::int64_t> colours(static_cast<std::size_t>(size()));
    std::int64_t own = colour;
    Context context;
    all_gather(context, Tensor(&own, DType::I64, {1}),
               Tensor(colours.data(), DType::I64, {size()}));
    int rank = 0, size = 0;
    for (int i = 0; i < this->size(); ++i) {
      if (colours[static_cast<std::size_t>(i)] != colour) continue;
      if (i < rank_) ++rank;
      ++size;
    }
    // NOTE: the barrier keeps the group of the first rank alive until the last one has it.
    std::shared_ptr<Group> part = group_->part(splits_++, colour, size);
    barrier(context);
    return std::make_unique<ThreadRank>(std::move(part), rank, number_);
  }

  void end_others(const std::string& reason) noexcept override {
    Family& family = *group_->family();
    const std::lock_guard lock(family.mutex);
    if (family.aborted.empty()) {
      family.aborted = fmt::format("rank {} ended with an error: {}", number_, reason);
    }
    family.changed.notify_all();
  }

  void carry_out(Context&, const Communication& call) override {
    for (const Tensor& x : {call.send, call.receive}) {
      require(!x || x.device() == Device::Cpu, "ranks", "expected a tensor on the CPU, got {}",
              x.describe());
    }
    if (call.kind == Kind::Send) return group_->send(rank_, call);
    if (call.kind == Kind::Receive) return group_->receive(rank_, call);
    group_->meet(rank_, call, carry_out_together);
  }

 private:
  std::shared_ptr<Group> group_;
  int rank_, number_;
  std::uint64_t splits_ = 0;
};

}  // namespace

ThreadRanks::ThreadRanks(int size) {
  require(size >= 1, "ranks", "{} ranks cannot be", size);
  const auto group = std::make_shared<Group>(std::make_shared<Family>(), size);
  for (int i = 0; i < size; ++i) ranks_.push_back(std::make_unique<ThreadRank>(group, i, i));
}

ThreadRanks::~ThreadRanks() = default;

}  // namespace tessera
