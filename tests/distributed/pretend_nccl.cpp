// SPDX-License-Identifier: MIT
#include "tests/distributed/pretend_nccl.h"

#include <atomic>
#include <condition_variable>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "core/base/error.h"
#include "core/base/memory.h"
#include "distributed/threads/thread_ranks.h"

namespace tessera::pretend {

namespace {
using Kind = Communication::Kind;
using State = NcclLibrary::State;

std::atomic<bool> g_hangs{false};
std::atomic<int> g_aborted{0}, g_ids{0};
std::mutex g_lock;
std::map<std::string, std::pair<std::shared_ptr<ThreadRanks>, int>> g_meetings;  // and who came
/// Calls that were put on a stream, and those of them that are done.
struct Calls {
  std::int64_t put = 0, done = 0;
};
std::map<void*, Calls> g_streams;

/// How far a stream was when it was set.
struct Mark {
  void* stream = nullptr;
  std::int64_t put = 0;
};
bool is_done(const Mark& mark) {
  const std::lock_guard lock(g_lock);
  return g_streams[mark.stream].done >= mark.put;
}
/// What the GPU does on its streams in an order, this one waits for on the host.
void wait_for(const Mark& mark) {
  while (!is_done(mark)) std::this_thread::sleep_for(std::chrono::microseconds(50));
}
Mark mark_of(void* stream) {
  const std::lock_guard lock(g_lock);
  return {stream, g_streams[stream].put};
}

/// The same memory, as the worker's ranks take it.
Tensor on_host(const Tensor& x) {
  if (!x) return {};
  if (x.rank() == 2) return {x.raw(), x.dtype(), {x.size(0), x.size(1)}};
  return {x.raw(), x.dtype(), {x.numel()}};
}

struct Work {
  Communication call;
  std::vector<std::int64_t> send_rows, receive_rows;
  void* stream = nullptr;
};

void carry_out(Communicator& rank, const Work& work) {
  Context context;
  const Tensor from = on_host(work.call.send), to = on_host(work.call.receive);
  switch (work.call.kind) {
    case Kind::AllReduce:
      return rank.all_reduce(context, to);
    case Kind::ReduceScatter:
      return rank.reduce_scatter(context, from, to);
    case Kind::AllGather:
      return rank.all_gather(context, from, to);
    case Kind::AllToAll:
      return rank.all_to_all(context, from, work.send_rows, to, work.receive_rows);
    case Kind::Broadcast:
      return rank.broadcast(context, to, work.call.peer);
    // As NCCL's, both wait for each other.
    case Kind::Send: {
      rank.send(context, from, work.call.peer);
      std::uint8_t taken = 0;
      return rank.receive(context, Tensor(&taken, DType::U8, {1}), work.call.peer);
    }
    case Kind::Receive: {
      rank.receive(context, to, work.call.peer);
      std::uint8_t taken = 1;
      return rank.send(context, Tensor(&taken, DType::U8, {1}), work.call.peer);
    }
    case Kind::Barrier:
      throw Error("pretend", "NCCL has no such call");
  }
}

/// Works on what is enqueued, in its order.
class Group {
 public:
  Group(std::string id, std::shared_ptr<ThreadRanks> ranks, int rank)
      : id_(std::move(id)), ranks_(std::move(ranks)), rank_(rank), worker_([this] { work(); }) {}
  ~Group() {
    {
      const std::lock_guard lock(mutex_);
      ends_ = true;
    }
    changed_.notify_all();
    worker_.join();
  }

  void enqueue(const Communication& call, void* stream) {
    Work work{call,
              {call.send_rows.begin(), call.send_rows.end()},
              {call.receive_rows.begin(), call.receive_rows.end()},
              stream};
    {
      const std::lock_guard lock(g_lock);
      ++g_streams[stream].put;
    }
    const std::lock_guard lock(mutex_);
    queue_.push_back(std::move(work));
    working_ = 2;  // it is not ready at once
    changed_.notify_all();
  }

  State state() {
    {
      const std::lock_guard lock(g_lock);
      if (g_meetings.at(id_).second < ranks_->size()) return State::Working;
    }
    const std::lock_guard lock(mutex_);
    return working_ > 0 && working_-- > 0 ? State::Working : State::Ready;
  }

  /// What is pending counts as done, with whatever it has written.
  void abort() {
    ranks_->rank(rank_).abort("aborted");
    const std::lock_guard lock(mutex_);
    aborted_ = true;
    changed_.notify_all();
  }

 private:
  void work() {
    std::unique_lock lock(mutex_);
    for (;;) {
      changed_.wait(lock, [this] { return ends_ || !queue_.empty(); });
      if (queue_.empty()) return;
      const Work next = std::move(queue_.front());
      queue_.pop_front();
      if (g_hangs) changed_.wait(lock, [this] { return aborted_; });
      lock.unlock();
      try {
        carry_out(ranks_->rank(rank_), next);
      } catch (const Error&) {
        // aborted
      }
      {
        const std::lock_guard all(g_lock);
        ++g_streams[next.stream].done;
      }
      lock.lock();
    }
  }

  const std::string id_;
  const std::shared_ptr<ThreadRanks> ranks_;
  const int rank_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Work> queue_;
  int working_ = 0;
  bool ends_ = false, aborted_ = false;
  std::thread worker_;  // last: it uses all the others
};

void make_id(NcclLibrary::Id& id) {
  id.fill('\0');
  std::snprintf(id.data(), id.size(), "pretend %d", ++g_ids);
}

void* begin_group(const NcclLibrary::Id& id, int rank, int size) {
  const std::lock_guard lock(g_lock);
  auto& [ranks, here] = g_meetings[id.data()];
  if (!ranks) ranks = std::make_shared<ThreadRanks>(size);
  ++here;
  return new Group(id.data(), ranks, rank);
}

Group& group_of(void* group) {
  return *static_cast<Group*>(group);
}
}  // namespace

const NcclLibrary& nccl() {
  static const NcclLibrary library = [] {
    NcclLibrary l;
    l.version = [] { return std::string("0.0.1"); };
    l.make_id = make_id;
    l.begin_group = begin_group;
    l.state = [](void* group, std::string&) { return group_of(group).state(); };
    l.enqueue = [](void* group, const Communication& call, void* stream) {
      group_of(group).enqueue(call, stream);
    };
    l.begin_close = [](void*) {};
    l.release = [](void* group) noexcept { delete &group_of(group); };
    l.abort = [](void* group) noexcept {
      ++g_aborted;
      group_of(group).abort();
      delete &group_of(group);
    };
    l.is_stream_done = [](void* stream) { return is_done(mark_of(stream)); };
    l.create_stream = []() -> void* { return new int; };
    l.destroy_stream = [](void* stream) noexcept { delete static_cast<int*>(stream); };
    l.copy = [](void* to, const void* from, std::size_t bytes, void* stream) {
      wait_for(mark_of(stream));
      std::memcpy(to, from, bytes);
    };
    l.make_mark = []() -> void* { return new Mark; };
    l.destroy_mark = [](void* mark) noexcept { delete static_cast<Mark*>(mark); };
    l.set_mark = [](void* mark, void* stream) { *static_cast<Mark*>(mark) = mark_of(stream); };
    l.wait_for_mark = [](void*, void* mark) { wait_for(*static_cast<Mark*>(mark)); };
    l.is_mark_done = [](void* mark) { return is_done(*static_cast<Mark*>(mark)); };
    return l;
  }();
  return library;
}

void have_gpu_memory() {
  cuda_memory() = {
      [](std::size_t bytes) { return std::calloc(1, bytes); },
      [](void* data) noexcept { std::free(data); },
      [](void* to, const void* from, std::size_t bytes) { std::memcpy(to, from, bytes); }};
}

void hang(bool on) {
  g_hangs = on;
}

int aborted() {
  return g_aborted;
}

}  // namespace tessera::pretend
