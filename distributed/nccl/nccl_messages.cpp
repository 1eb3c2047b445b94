// SPDX-License-Identifier: MIT
#include "distributed/nccl/nccl_messages.h"

#include <algorithm>
#include <cstring>
#include <deque>
#include <thread>

#include "core/base/error.h"
#include "core/base/log.h"

namespace tessera {

using Kind = Communication::Kind;

/// Begins by itself in a thread, as the receiver may come much later.
class NcclMessages::Outgoing {
 public:
  Outgoing(NcclHub& hub, const NcclLibrary::Id& id)
      : hub_(hub),
        library_(hub.library()),
        stream_(library_.create_stream()),
        copied_(library_.make_mark()),
        starter_([this, id] { begin(id); }) {}

  ~Outgoing() {
    starter_.join();
    if (group_) hub_.close(group_);
    for (const Aside& aside : asides_) library_.destroy_mark(aside.sent);
    library_.destroy_mark(copied_);
    library_.destroy_stream(stream_);
  }

  void send(Context& context, const Communication& call) {
    const std::lock_guard lock(mutex_);
    if (!failure_.empty()) throw Error("ranks", failure_);
    Aside& aside = take(call.send.bytes());
    library_.copy(aside.memory.data(), call.send.raw(), call.send.bytes(), context.stream);
    library_.set_mark(copied_, context.stream);
    library_.wait_for_mark(stream_, copied_);
    aside.bytes = call.send.bytes();
    aside.waits = true;
    if (is_ready_) return enqueue(aside);
    pending_.push_back(&aside);
  }

 private:
  /// Where a message lies until it has been sent.
  struct Aside {
    Buffer memory;
    void* sent = nullptr;  ///< a mark, set where it is not waiting to be enqueued
    std::size_t bytes = 0;
    bool waits = false;
  };

  Aside& take(std::size_t bytes) {
    for (Aside& aside : asides_) {
      if (!aside.waits && aside.memory.bytes() >= bytes && library_.is_mark_done(aside.sent)) {
        return aside;
      }
    }
    asides_.push_back(
        {Buffer(std::max<std::size_t>(bytes, 256), Device::Cuda), library_.make_mark()});
    return asides_.back();
  }

  void enqueue(Aside& aside) {
    Communication call{.kind = Kind::Send, .peer = 1};
    call.send = aside.memory.view(DType::U8, {static_cast<std::int64_t>(aside.bytes)});
    hub_.enqueue(group_, call, stream_);
    library_.set_mark(aside.sent, stream_);
    aside.waits = false;
  }

  void begin(const NcclLibrary::Id& id) {
    try {
      group_ = hub_.begin_group(id, 0, 2);
      const std::lock_guard lock(mutex_);
      for (Aside* aside : pending_) enqueue(*aside);
      pending_.clear();
      is_ready_ = true;
    } catch (const std::exception& error) {
      log::info("messages cannot be sent: {}", error.what());
      const std::lock_guard lock(mutex_);
      failure_ = error.what();
    }
  }

  NcclHub& hub_;
  const NcclLibrary& library_;
  void* stream_;
  void* copied_;
  void* group_ = nullptr;
  std::mutex mutex_;
  bool is_ready_ = false;
  std::string failure_;
  std::deque<Aside> asides_;
  std::vector<Aside*> pending_;
  std::thread starter_;  // last: it uses all the others
};

class NcclMessages::Incoming {
 public:
  Incoming(NcclHub& hub, const NcclLibrary::Id& id)
      : hub_(hub), group_(hub.begin_group(id, 1, 2)) {}
  ~Incoming() { hub_.close(group_); }

  void receive(Context& context, const Communication& call) {
    Communication from_sender = call;
    from_sender.peer = 0;
    hub_.enqueue(group_, from_sender, context.stream);
  }

 private:
  NcclHub& hub_;
  void* group_;
};

NcclMessages::NcclMessages(NcclHub& hub, StoreGroup& hosts) : hub_(hub), hosts_(hosts) {}

NcclMessages::~NcclMessages() = default;

std::string NcclMessages::key_of(int from, int to) const {
  return fmt::format("{}/nccl/{}>{}", hosts_.name(), from, to);
}

void NcclMessages::send(Context& context, const Communication& call) {
  require(call.peer != hosts_.rank(), "ranks", "rank {} has no message for itself on the GPU",
          call.peer);
  std::unique_ptr<Outgoing>& way = to_[call.peer];
  if (!way) {
    NcclLibrary::Id id{};
    hub_.library().make_id(id);
    hub_.client().set(key_of(hosts_.rank(), call.peer), {id.data(), id.size()});
    way = std::make_unique<Outgoing>(hub_, id);
  }
  way->send(context, call);
}

void NcclMessages::receive(Context& context, const Communication& call) {
  std::unique_ptr<Incoming>& way = from_[call.peer];
  if (!way) {
    const auto found =
        hub_.client().get(key_of(call.peer, hosts_.rank()), hub_.options().hang_limit);
    NcclLibrary::Id id{};
    require(found && found->size() == id.size(), "ranks", "{} has waited {:.0f} s for {}",
            call.describe(), std::chrono::duration<double>(hub_.options().hang_limit).count(),
            hub_.client().about(hosts_.members().at(static_cast<std::size_t>(call.peer))));
    std::memcpy(id.data(), found->data(), id.size());
    way = std::make_unique<Incoming>(hub_, id);
  }
  way->receive(context, call);
}

}  // namespace tessera
