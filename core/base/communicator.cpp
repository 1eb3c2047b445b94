// SPDX-License-Identifier: MIT
#include "core/base/communicator.h"

#include <numeric>

#include "core/base/error.h"
#include "core/base/profile.h"

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
