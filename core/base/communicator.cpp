// SPDX-License-Identifier: MIT
#include "core/base/communicator.h"

#include <exception>
#include <numeric>
#include <utility>

#include "core/base/call_record.h"
#include "core/base/error.h"
#include "core/base/profile.h"
#include "core/base/timeline.h"

namespace tessera {

using Kind = Communication::Kind;

const char* name_of(Kind kind) {
  switch (kind) {
    case Kind::AllReduce:
      return "all_reduce";
    case Kind::ReduceScatter:
      return "reduce_scatter";
    case Kind::AllGather:
      return "all_gather";
    case Kind::AllToAll:
      return "all_to_all";
    case Kind::Send:
      return "send";
    case Kind::Receive:
      return "receive";
    case Kind::Broadcast:
      return "broadcast";
    case Kind::Barrier:
      break;
  }
  return "barrier";
}

std::int64_t Communication::bytes() const {
  const Tensor& x = send ? send : receive;
  return x ? x.numel() * static_cast<std::int64_t>(size_of(x.dtype())) : 0;
}

std::string Communication::describe() const {
  const Tensor& x = send ? send : receive;
  return fmt::format("{} {} of {}", name_of(kind), sequence, x ? x.describe() : "nothing");
}

/// A call in the record and in the time spent in calls, from its begin to its end.
class Communicator::Note {
 public:
  Note(const Communicator& ranks, CallNote note)
      : record_(ranks.record_.get()),
        in_calls_ns_(*ranks.in_calls_ns_),
        entered_ns_(monotonic_ns()),
        failures_(std::uncaught_exceptions()) {
    note.group = ranks.group_;
    note.may_last = ranks.may_last_;
    if (record_) serial_ = record_->enter(note);
  }
  ~Note() {
    if (record_) record_->leave(serial_, std::uncaught_exceptions() > failures_);
    in_calls_ns_ += monotonic_ns() - entered_ns_;
  }
  Note(const Note&) = delete;
  Note& operator=(const Note&) = delete;

 private:
  CallRecord* record_;
  std::atomic<std::int64_t>& in_calls_ns_;
  std::int64_t entered_ns_;
  int failures_;
  std::uint64_t serial_ = 0;
};

namespace {
/// FNV-1a over three numbers.
std::uint64_t mix(std::uint64_t a, std::uint64_t b, std::uint64_t c) {
  std::uint64_t hash = 14695981039346656037ull;
  for (const std::uint64_t number : {a, b, c}) {
    for (int byte = 0; byte < 8; ++byte) {
      hash = (hash ^ (number >> (8 * byte) & 0xff)) * 1099511628211ull;
    }
  }
  return hash;
}
}  // namespace

void Communicator::record_calls(std::shared_ptr<CallRecord> record) {
  record_ = std::move(record);
  if (record_) group_ = record_->add_group("world", key_, rank(), size());
}

std::unique_ptr<Communicator> Communicator::split(int colour, const std::string& name) {
  std::unique_ptr<Communicator> group;
  {
    const Note note(*this, {.kind = kSplitCall, .sequence = calls_++});
    group = make_group(colour);
  }
  group->timeline_ = timeline_;
  group->in_calls_ns_ = in_calls_ns_;
  group->key_ = mix(key_, ++splits_, static_cast<std::uint64_t>(colour));
  if (record_) {
    group->record_ = record_;
    group->group_ = record_->add_group(name, group->key_, group->rank(), group->size());
  }
  return group;
}

void Communicator::abort(const std::string& reason) noexcept {
  if (record_) record_->ended(reason);
  end_others(reason);
}

void Communicator::call(Context& context, Communication call) {
  if (context.dry_run) return;
  const auto check = [&](const Tensor& x) {
    require(!x || x.is_contiguous(), "ranks", "{} takes contiguous tensors, got {}",
            name_of(call.kind), x.describe());
  };
  check(call.send);
  check(call.receive);
  call.sequence = calls_++;
  const Profile::Scope scope(context.profile, name_of(call.kind));
  const Timeline::Scope span(call.is_collective() ? *timeline_ : nullptr, context,
                             {.what = name_of(call.kind), .bytes = call.bytes()});
  const Note note(*this, {.kind = static_cast<std::uint8_t>(call.kind),
                          .collective = call.is_collective(),
                          .peer = call.peer,
                          .bytes = call.bytes(),
                          .sequence = call.sequence});
  carry_out(context, call);
}

void Communicator::check_peer(int peer) const {
  require(peer >= 0 && peer < size(), "ranks", "there is no rank {} among {}", peer, size());
}

namespace {
void check_sum(Kind kind, const Tensor& x) {
  require(x.dtype() == DType::F32 || x.dtype() == DType::F64 || x.dtype() == DType::I64, "ranks",
          "{} takes F32, F64 or I64, got {}", name_of(kind), x.describe());
}

void check_shares(Kind kind, const Tensor& x, const Tensor& share, int ranks) {
  require(x.dtype() == share.dtype() && x.numel() == share.numel() * ranks, "ranks",
          "{} of {} ranks takes {} times {}, got {}", name_of(kind), ranks, ranks, share.describe(),
          x.describe());
}

void check_rows(const Tensor& x, std::span<const std::int64_t> rows, int ranks) {
  const std::int64_t all = std::accumulate(rows.begin(), rows.end(), std::int64_t{0});
  require(x.rank() == 2 && std::ssize(rows) == ranks && x.size(0) == all, "ranks",
          "all_to_all: {} rows for {} ranks do not make {}", all, rows.size(), x.describe());
}
}  // namespace

void Communicator::all_reduce(Context& context, const Tensor& x) {
  check_sum(Kind::AllReduce, x);
  call(context, {.kind = Kind::AllReduce, .send = x, .receive = x});
}

void Communicator::reduce_scatter(Context& context, const Tensor& x, const Tensor& share) {
  check_sum(Kind::ReduceScatter, x);
  check_shares(Kind::ReduceScatter, x, share, size());
  call(context, {.kind = Kind::ReduceScatter, .send = x, .receive = share});
}

void Communicator::all_gather(Context& context, const Tensor& share, const Tensor& x) {
  check_shares(Kind::AllGather, x, share, size());
  call(context, {.kind = Kind::AllGather, .send = share, .receive = x});
}

void Communicator::all_to_all(Context& context, const Tensor& send,
                              std::span<const std::int64_t> send_rows, const Tensor& receive,
                              std::span<const std::int64_t> receive_rows) {
  check_rows(send, send_rows, size());
  check_rows(receive, receive_rows, size());
  require(send.dtype() == receive.dtype() && send.size(1) == receive.size(1), "ranks",
          "all_to_all takes rows of one kind, got {} and {}", send.describe(), receive.describe());
  call(context, {.kind = Kind::AllToAll,
                 .send = send,
                 .receive = receive,
                 .send_rows = send_rows,
                 .receive_rows = receive_rows});
}

void Communicator::send(Context& context, const Tensor& x, int to) {
  check_peer(to);
  call(context, {.kind = Kind::Send, .send = x, .peer = to});
}

void Communicator::receive(Context& context, const Tensor& x, int from) {
  check_peer(from);
  call(context, {.kind = Kind::Receive, .receive = x, .peer = from});
}

void Communicator::broadcast(Context& context, const Tensor& x, int from) {
  check_peer(from);
  call(context, {.kind = Kind::Broadcast, .send = x, .receive = x, .peer = from});
}

void Communicator::barrier(Context& context) {
  call(context, {.kind = Kind::Barrier});
}

}  // namespace tessera
