// SPDX-License-Identifier: MIT
#include "distributed/store/store_group.h"

#include <algorithm>
#include <cstring>
#include <numeric>

#include "core/base/error.h"
#include "distributed/store/store_pieces.h"
#include "distributed/store/wire.h"

namespace tessera {

using Kind = Communication::Kind;
using wire::Reader, wire::Writer;

namespace {
constexpr std::chrono::hours kEver{24 * 365};

/// What a rank brings to a collective call: what it calls for, and its tensor.
struct Part {
  Kind kind = Kind::Barrier;
  int peer = -1;
  std::int64_t send_elements = 0, receive_elements = 0;
  DType type = DType::U8;
  std::vector<std::int64_t> send_rows, receive_rows;
  std::string what;
  std::string_view bytes;
};

std::int64_t elements(const Tensor& x) {
  return x ? x.numel() : -1;
}

std::string_view bytes_of(const Tensor& x) {
  return {static_cast<const char*>(x.raw()), x.bytes()};
}

std::string packed(const Communication& call, bool with_bytes) {
  Writer part(call.kind);
  part.number(call.peer).number(elements(call.send)).number(elements(call.receive));
  const Tensor& x = call.send ? call.send : call.receive;
  part.number(x ? static_cast<std::int64_t>(x.dtype()) : -1);
  for (const auto& rows : {call.send_rows, call.receive_rows}) {
    part.number(std::ssize(rows));
    for (const std::int64_t count : rows) part.number(count);
  }
  part.text(call.kind == Kind::Send ? call.send.describe() : call.describe())
      .text(with_bytes ? bytes_of(call.send) : std::string_view());
  return part.take().substr(sizeof(std::uint32_t));  // without its length
}

Part unpacked(std::string_view text) {
  Reader fields(text);
  Part part;
  part.kind = static_cast<Kind>(fields.kind());
  part.peer = static_cast<int>(fields.number());
  part.send_elements = fields.number();
  part.receive_elements = fields.number();
  part.type = static_cast<DType>(fields.number());
  for (auto* rows : {&part.send_rows, &part.receive_rows}) {
    const std::int64_t count = fields.number();
    for (std::int64_t i = 0; i < count; ++i) rows->push_back(fields.number());
  }
  part.what = fields.text();
  part.bytes = fields.text();
  return part;
}

/// Throws where the parts are of different calls; the same on every rank.
void check(const std::vector<Part>& parts, const std::vector<int>& members) {
  const Part& first = parts.front();
  for (std::size_t i = 1; i < parts.size(); ++i) {
    const Part& other = parts[i];
    const bool same =
        first.kind == other.kind && first.peer == other.peer && first.type == other.type &&
        (first.kind == Kind::AllToAll || (first.send_elements == other.send_elements &&
                                          first.receive_elements == other.receive_elements));
    require(same, "ranks", "rank {} came with {} where rank {} has {}", members[i], other.what,
            members[0], first.what);
  }
  if (first.kind != Kind::AllToAll) return;
  for (std::size_t to = 0; to < parts.size(); ++to) {
    for (std::size_t from = 0; from < parts.size(); ++from) {
      const std::int64_t sent = parts[from].send_rows.at(to),
                         taken = parts[to].receive_rows.at(from);
      require(sent == taken, "ranks", "rank {} sends {} rows to rank {}, which takes {}",
              members[from], sent, members[to], taken);
    }
  }
}

/// The sum of the elements [first, first + x.numel()) of all parts into x, in the order of ranks.
template <class T>
void sum_run(const std::vector<Part>& parts, std::int64_t first, const Tensor& x) {
  T* to = x.data<T>();
  for (std::size_t rank = 0; rank < parts.size(); ++rank) {
    const char* from = parts[rank].bytes.data() + first * static_cast<std::int64_t>(sizeof(T));
    for (std::int64_t i = 0; i < x.numel(); ++i) {
      T value;
      std::memcpy(&value, from + i * static_cast<std::int64_t>(sizeof value), sizeof value);
      to[i] = rank == 0 ? value : to[i] + value;
    }
  }
}

void sum(const std::vector<Part>& parts, std::int64_t first, const Tensor& x) {
  switch (x.dtype()) {
    case DType::F32:
      return sum_run<float>(parts, first, x);
    case DType::F64:
      return sum_run<double>(parts, first, x);
    case DType::I64:
      return sum_run<std::int64_t>(parts, first, x);
    default:
      throw Error("ranks", fmt::format("cannot sum {}", x.describe()));
  }
}

void take_rows(const std::vector<Part>& parts, int rank, const Communication& call) {
  if (call.receive.numel() == 0) return;
  const std::size_t row =
      static_cast<std::size_t>(call.receive.size(1)) * size_of(call.receive.dtype());
  auto* to = static_cast<char*>(call.receive.raw());
  for (const Part& part : parts) {
    const auto before =
        std::accumulate(part.send_rows.begin(), part.send_rows.begin() + rank, std::int64_t{0});
    const std::size_t bytes =
        row * static_cast<std::size_t>(part.send_rows[static_cast<std::size_t>(rank)]);
    std::memcpy(to, part.bytes.data() + static_cast<std::size_t>(before) * row, bytes);
    to += bytes;
  }
}

void finish(const std::vector<Part>& parts, int rank, const Communication& call) {
  const auto copy = [](const Tensor& to, std::string_view from, std::size_t at) {
    if (!from.empty()) std::memcpy(static_cast<char*>(to.raw()) + at, from.data(), from.size());
  };
  switch (call.kind) {
    case Kind::AllReduce:
      return sum(parts, 0, call.receive);
    case Kind::ReduceScatter:
      return sum(parts, rank * call.receive.numel(), call.receive);
    case Kind::AllGather:
      for (std::size_t i = 0; i < parts.size(); ++i) {
        copy(call.receive, parts[i].bytes, i * call.send.bytes());
      }
      return;
    case Kind::AllToAll:
      return take_rows(parts, rank, call);
    case Kind::Broadcast:
      return copy(call.receive, parts.at(static_cast<std::size_t>(call.peer)).bytes, 0);
    case Kind::Send:
    case Kind::Receive:
    case Kind::Barrier:
      return;
  }
}
}  // namespace

StoreGroup::StoreGroup(StoreClient& client, std::string name, std::vector<int> members,
                       Patience patience)
    : client_(client), name_(std::move(name)), members_(std::move(members)), patience_(patience) {
  const auto own = std::find(members_.begin(), members_.end(), client.rank());
  require(own != members_.end(), "ranks", "rank {} is not of the group {}", client.rank(), name_);
  rank_ = static_cast<int>(own - members_.begin());
}

void StoreGroup::carry_out(const Communication& call, bool may_last) {
  const Patience patience = may_last ? kEver : patience_;
  for (const Tensor& x : {call.send, call.receive}) {
    require(!x || x.device() == Device::Cpu, "ranks", "expected a tensor on the CPU, got {}",
            x.describe());
  }
  client_.doing(call.describe());
  if (call.kind == Kind::Send) return send(call);
  if (call.kind == Kind::Receive) return receive(call, patience);
  const bool brings = call.send && (call.kind != Kind::Broadcast || call.peer == rank_);
  const std::vector<std::string> texts = gather(call, packed(call, brings), patience);
  std::vector<Part> parts;
  for (const std::string& text : texts) parts.push_back(unpacked(text));
  check(parts, members_);
  finish(parts, rank_, call);
}

std::vector<std::string> StoreGroup::gather(const Communication& call, std::string_view part,
                                            Patience patience) {
  return client_.gather(
      fmt::format("{}/{}", name_, calls_++), rank_, size(), part, patience,
      [&](const std::vector<int>& missing) { throw_late(call, patience, missing); });
}

void StoreGroup::throw_late(const Communication& call, Patience patience,
                            const std::vector<int>& missing) {
  std::vector<std::string> who;
  for (const int index : missing) {
    who.push_back(client_.about(members_.at(static_cast<std::size_t>(index))));
  }
  throw Error("ranks",
              fmt::format("{} has waited {:.0f} s for {}", call.describe(),
                          std::chrono::duration<double>(patience).count(), fmt::join(who, "; ")));
}

void StoreGroup::send(const Communication& call) {
  const std::string key = fmt::format("{}/{}>{}/{}", name_, rank_, call.peer, sent_[call.peer]++);
  client_.set(key, packed(call, /*with_bytes=*/true));
}

void StoreGroup::receive(const Communication& call, Patience patience) {
  const std::string key =
      fmt::format("{}/{}>{}/{}", name_, call.peer, rank_, received_[call.peer]++);
  const auto letter = client_.take(key, patience);
  if (!letter) throw_late(call, patience, {call.peer});
  const Part part = unpacked(*letter);
  require(part.bytes.size() == call.receive.bytes(), "ranks",
          "rank {} sent {} where rank {} takes {}", call.peer, part.what, rank_,
          call.receive.describe());
  if (!part.bytes.empty()) std::memcpy(call.receive.raw(), part.bytes.data(), part.bytes.size());
}

StoreGroup StoreGroup::split(int colour) {
  const std::int64_t own = colour;
  std::vector<std::int64_t> colours(members_.size());
  Communication call{.kind = Kind::AllGather};
  call.send = Tensor(const_cast<std::int64_t*>(&own), DType::I64, {1});
  call.receive = Tensor(colours.data(), DType::I64, {size()});
  carry_out(call);
  std::vector<int> members;
  for (std::size_t i = 0; i < colours.size(); ++i) {
    if (colours[i] == colour) members.push_back(members_[i]);
  }
  return {client_, fmt::format("{}/{}:{}", name_, splits_++, colour), std::move(members),
          patience_};
}

StoreRanks::StoreRanks(StoreClient& client, std::chrono::milliseconds patience)
    : group_(
          client, "world",
          [&] {
            std::vector<int> all(static_cast<std::size_t>(client.size()));
            std::iota(all.begin(), all.end(), 0);
            return all;
          }(),
          patience) {}

std::unique_ptr<Communicator> StoreRanks::make_group(int colour) {
  return std::unique_ptr<Communicator>(new StoreRanks(group_.split(colour)));
}

void StoreRanks::end_others(const std::string& reason) noexcept {
  try {
    group_.client().abort(ended_with(group_.client().rank(), reason));
  } catch (const std::exception&) {
    // No memory for the words: the others see that the connection ends.
  }
}

void StoreRanks::carry_out(Context&, const Communication& call) {
  carry_out_in_pieces(call, size(),
                      [this](const Communication& piece) { group_.carry_out(piece, may_last()); });
}

std::string ended_with(int rank, const std::string& reason) {
  return fmt::format("rank {} ended with an error: {}", rank, reason);
}

}  // namespace tessera
