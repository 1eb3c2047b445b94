// SPDX-License-Identifier: MIT
// Groups of ranks over messages: what libtessera_mpi.so gives the program.
//
// MPI carries messages from one rank to another, and nothing else. Its own collective operations
// would wait without an end where a rank is lost, and add in an order that depends on sizes and
// machines. Groups are sets of tags, so that none has to be made or freed together.
#include <algorithm>
#include <cstring>
#include <numeric>

#include "core/base/error.h"
#include "distributed/mpi/link.h"
#include "distributed/mpi/mpi_plugin.h"
#include "distributed/ordered_sum.h"

namespace tessera {

namespace {

using Kind = Communication::Kind;

/// Goes before the bytes of every message: what the sender takes part in.
struct Head {
  std::int32_t kind = 0, peer = 0;
  std::uint64_t sequence = 0;
  std::int32_t dtype = 0, dims = 0;
  std::int64_t shape[Tensor::kMaxRank] = {};
  std::int64_t bytes = 0;  ///< size of this message
  std::int64_t rows = 0;   ///< all_to_all: those of this message
};

/// Messages up to this size go with their head at once.
constexpr std::size_t kWithHead = 3968;
constexpr std::size_t kFirst = sizeof(Head) + kWithHead;
/// A sum of at most this size is taken by every rank for itself; of a larger one each rank takes a
/// part, in pieces of kPieceOfSum bytes a rank.
constexpr std::size_t kSmallSum = 16 << 10, kPieceOfSum = 1 << 20;

/// What a rank sends to another one of the group and takes from it in one operation.
struct Transfer {
  int peer = 0;
  const void* from = nullptr;
  std::size_t send_bytes = 0;
  void* to = nullptr;
  std::size_t receive_bytes = 0;
  bool sends = true, receives = true;
  std::int64_t send_rows = 0, receive_rows = 0;
};

const Tensor& tensor_of(const Communication& call) {
  return call.send ? call.send : call.receive;
}

Head head_of(const Communication& call) {
  Head head;
  head.kind = static_cast<std::int32_t>(call.kind);
  head.peer = call.peer;
  head.sequence = call.sequence;
  if (const Tensor& x = tensor_of(call)) {
    head.dtype = static_cast<std::int32_t>(x.dtype());
    head.dims = x.rank();
    for (int i = 0; i < x.rank(); ++i) head.shape[i] = x.size(i);
  }
  return head;
}

/// The call that a head stands for, as far as messages name it.
std::string describe(const Head& head) {
  Communication call;
  call.kind = static_cast<Kind>(head.kind);
  call.sequence = head.sequence;
  const auto type = static_cast<DType>(head.dtype);
  const std::int64_t* s = head.shape;
  if (head.dims == 1) call.send = Tensor(nullptr, type, {s[0]});
  if (head.dims == 2) call.send = Tensor(nullptr, type, {s[0], s[1]});
  if (head.dims == 3) call.send = Tensor(nullptr, type, {s[0], s[1], s[2]});
  if (head.dims == 4) call.send = Tensor(nullptr, type, {s[0], s[1], s[2], s[3]});
  return call.describe();
}

class MpiRanks : public Communicator {
 public:
  MpiRanks(std::shared_ptr<MpiLink> link, std::vector<int> members, int rank, int number)
      : link_(std::move(link)), members_(std::move(members)), rank_(rank), number_(number) {}

  int rank() const override { return rank_; }
  int size() const override { return static_cast<int>(members_.size()); }

 protected:
  void carry_out(Context&, const Communication& call) override;
  std::unique_ptr<Communicator> make_group(int colour) override;
  void end_others(const std::string& reason) noexcept override { link_->end(reason); }

 private:
  enum Tag { kCollectiveHead, kCollectiveRest, kMessageHead, kMessageRest };
  int tag(Tag one) const { return number_ * MpiLink::kTagsOfGroup + one; }
  int world_rank(int peer) const { return members_[static_cast<std::size_t>(peer)]; }
  template <class Work>
  void for_others(const Work& work) const {
    // Everyone begins with the rank after it, so that not all send to rank 0 first.
    for (int i = 1; i < size(); ++i) work((rank_ + i) % size());
  }

  void exchange(const Communication& call, std::span<const Transfer> transfers);
  void exchange_rests(std::span<const Transfer> transfers);
  void check_head(const Communication& call, const Transfer& transfer, const Head& head,
                  std::size_t got) const;
  template <class T>
  void small_all_reduce(const Communication& call);
  template <class T>
  void all_reduce(const Communication& call);
  template <class T>
  void reduce_scatter(const Communication& call);
  void all_gather(const Communication& call);
  void all_to_all(const Communication& call);
  void broadcast(const Communication& call);
  void barrier(const Communication& call);
  void send(const Communication& call);
  void receive(const Communication& call);

  std::shared_ptr<MpiLink> link_;
  std::vector<int> members_;  ///< by their rank among all processes
  int rank_, number_;
  std::vector<std::byte> first_, sums_;  ///< kept from call to call
};

void MpiRanks::carry_out(Context&, const Communication& call) {
  for (const Tensor& x : {call.send, call.receive}) {
    require(!x || x.device() == Device::Cpu, "ranks", "expected a tensor on the CPU, got {}",
            x.describe());
  }
  switch (call.kind) {
    case Kind::AllReduce:
      return for_sum_type(call.send.dtype(), [&]<class T>(T) { all_reduce<T>(call); });
    case Kind::ReduceScatter:
      return for_sum_type(call.send.dtype(), [&]<class T>(T) { reduce_scatter<T>(call); });
    case Kind::AllGather:
      return all_gather(call);
    case Kind::AllToAll:
      return all_to_all(call);
    case Kind::Broadcast:
      return broadcast(call);
    case Kind::Barrier:
      return barrier(call);
    case Kind::Send:
      return send(call);
    case Kind::Receive:
      return receive(call);
  }
}

// ---- Messages -----------------------------------------------------------------------------------

/// The first part of every message shows what its sender takes part in, before anything larger is
/// written anywhere.
void MpiRanks::exchange(const Communication& call, std::span<const Transfer> transfers) {
  first_.resize(2 * kFirst * transfers.size());
  std::vector<MPI_Request> requests;
  std::vector<const Transfer*> receiving;
  std::byte* at = first_.data();
  for (const Transfer& t : transfers) {
    if (!t.receives) continue;
    requests.push_back(link_->receive(at, kFirst, world_rank(t.peer), tag(kCollectiveHead)));
    receiving.push_back(&t);
    at += kFirst;
  }
  for (const Transfer& t : transfers) {
    if (!t.sends) continue;
    Head head = head_of(call);
    head.bytes = static_cast<std::int64_t>(t.send_bytes);
    head.rows = t.send_rows;
    const std::size_t with_head = t.send_bytes <= kWithHead ? t.send_bytes : 0;
    std::memcpy(at, &head, sizeof head);
    if (with_head > 0) std::memcpy(at + sizeof head, t.from, with_head);
    requests.push_back(
        link_->send(at, sizeof head + with_head, world_rank(t.peer), tag(kCollectiveHead)));
    at += kFirst;
  }
  std::vector<std::size_t> got;
  link_->wait(requests, &got);
  at = first_.data();
  for (std::size_t i = 0; i < receiving.size(); ++i, at += kFirst) {
    Head head;
    std::memcpy(&head, at, sizeof head);
    check_head(call, *receiving[i], head, got[i]);
  }
  at = first_.data();
  for (const Transfer* t : receiving) {
    const bool with_head = t->receive_bytes <= kWithHead && t->receive_bytes > 0;
    if (with_head) std::memcpy(t->to, at + sizeof(Head), t->receive_bytes);
    at += kFirst;
  }
  exchange_rests(transfers);
}

void MpiRanks::exchange_rests(std::span<const Transfer> transfers) {
  std::vector<MPI_Request> requests;
  const auto in_pieces = [](std::size_t bytes, const auto& work) {
    if (bytes <= kWithHead) return;
    for (std::size_t from = 0; from < bytes; from += MpiLink::kPiece) {
      work(from, std::min(MpiLink::kPiece, bytes - from));
    }
  };
  for (const Transfer& t : transfers) {
    if (!t.receives) continue;
    in_pieces(t.receive_bytes, [&](std::size_t from, std::size_t bytes) {
      requests.push_back(link_->receive(static_cast<std::byte*>(t.to) + from, bytes,
                                        world_rank(t.peer), tag(kCollectiveRest)));
    });
  }
  for (const Transfer& t : transfers) {
    if (!t.sends) continue;
    in_pieces(t.send_bytes, [&](std::size_t from, std::size_t bytes) {
      requests.push_back(link_->send(static_cast<const std::byte*>(t.from) + from, bytes,
                                     world_rank(t.peer), tag(kCollectiveRest)));
    });
  }
  if (!requests.empty()) link_->wait(requests);
}

/// Throws Error where the other rank is in another call, or in one that does not fit this one.
void MpiRanks::check_head(const Communication& call, const Transfer& transfer, const Head& head,
                          std::size_t got) const {
  const Head own = head_of(call);
  require(got >= sizeof(Head), "ranks", "a message of rank {} is too short", transfer.peer);
  if (call.kind == Kind::AllToAll && head.kind == own.kind) {
    require(head.rows == transfer.receive_rows &&
                head.bytes == static_cast<std::int64_t>(transfer.receive_bytes),
            "ranks", "rank {} sends {} rows to rank {}, which takes {}", transfer.peer, head.rows,
            rank_, transfer.receive_rows);
    return;
  }
  const bool same_size =
      head.dtype == own.dtype &&
      std::accumulate(head.shape, head.shape + head.dims, std::int64_t{1}, std::multiplies<>()) ==
          std::accumulate(own.shape, own.shape + own.dims, std::int64_t{1}, std::multiplies<>());
  if (head.kind == own.kind && head.peer == own.peer && same_size &&
      head.bytes == static_cast<std::int64_t>(transfer.receive_bytes)) {
    return;
  }
  const bool first = rank_ < transfer.peer;
  throw Error("ranks",
              fmt::format("rank {} came with {} where rank {} has {}",
                          first ? transfer.peer : rank_, first ? describe(head) : call.describe(),
                          first ? rank_ : transfer.peer, first ? call.describe() : describe(head)));
}

// ---- Operations ---------------------------------------------------------------------------------

template <class T>
void MpiRanks::small_all_reduce(const Communication& call) {
  const auto count = static_cast<std::size_t>(call.send.numel());
  const std::size_t bytes = count * sizeof(T);
  sums_.resize(bytes * members_.size());
  std::vector<T*> parts;
  for (int i = 0; i < size(); ++i) {
    parts.push_back(reinterpret_cast<T*>(sums_.data()) + static_cast<std::size_t>(i) * count);
  }
  if (bytes > 0) std::memcpy(parts[static_cast<std::size_t>(rank_)], call.send.raw(), bytes);
  std::vector<Transfer> transfers;
  for_others([&](int peer) {
    transfers.push_back({.peer = peer,
                         .from = call.send.raw(),
                         .send_bytes = bytes,
                         .to = parts[static_cast<std::size_t>(peer)],
                         .receive_bytes = bytes});
  });
  exchange(call, transfers);
  const std::vector<const T*> all(parts.begin(), parts.end());
  sum_in_order<T>(all, call.receive.data<T>(), call.send.numel());
}

/// Every rank sums its share of each piece, and gives it to the others.
template <class T>
void MpiRanks::all_reduce(const Communication& call) {
  const std::int64_t all = call.send.numel();
  if (static_cast<std::size_t>(all) * sizeof(T) <= kSmallSum || size() == 1) {
    return small_all_reduce<T>(call);
  }
  T* const x = call.receive.data<T>();
  const std::int64_t piece = static_cast<std::int64_t>(kPieceOfSum / sizeof(T)) * size();
  sums_.resize(kPieceOfSum * members_.size() + members_.size() * sizeof(T));
  for (std::int64_t begin = 0; begin < all; begin += piece) {
    const std::int64_t end = std::min(all, begin + piece);
    const auto border = [&](int rank) { return begin + (end - begin) * rank / size(); };
    const auto bytes = [&](int rank) {
      return static_cast<std::size_t>(border(rank + 1) - border(rank)) * sizeof(T);
    };
    const std::int64_t own = border(rank_ + 1) - border(rank_);
    std::vector<const T*> parts(members_.size());
    parts[static_cast<std::size_t>(rank_)] = x + border(rank_);
    std::vector<Transfer> shares, sums;
    for_others([&](int peer) {
      T* const place = reinterpret_cast<T*>(sums_.data()) + own * peer;
      parts[static_cast<std::size_t>(peer)] = place;
      shares.push_back({.peer = peer,
                        .from = x + border(peer),
                        .send_bytes = bytes(peer),
                        .to = place,
                        .receive_bytes = bytes(rank_)});
      sums.push_back({.peer = peer,
                      .from = x + border(rank_),
                      .send_bytes = bytes(rank_),
                      .to = x + border(peer),
                      .receive_bytes = bytes(peer)});
    });
    exchange(call, shares);
    sum_in_order<T>(parts, x + border(rank_), own);
    exchange(call, sums);
  }
}

template <class T>
void MpiRanks::reduce_scatter(const Communication& call) {
  const T* const x = call.send.data<T>();
  T* const to = call.receive.data<T>();
  const std::int64_t share = call.receive.numel();
  const auto most = static_cast<std::int64_t>(kPieceOfSum / sizeof(T));
  sums_.resize(kPieceOfSum * members_.size());
  for (std::int64_t begin = 0; begin < share || begin == 0; begin += most) {
    const std::int64_t count = std::min(most, share - begin);
    const std::size_t bytes = static_cast<std::size_t>(count) * sizeof(T);
    std::vector<const T*> parts(members_.size());
    parts[static_cast<std::size_t>(rank_)] = x + share * rank_ + begin;
    std::vector<Transfer> transfers;
    for_others([&](int peer) {
      T* const place = reinterpret_cast<T*>(sums_.data()) + count * peer;
      parts[static_cast<std::size_t>(peer)] = place;
      transfers.push_back({.peer = peer,
                           .from = x + share * peer + begin,
                           .send_bytes = bytes,
                           .to = place,
                           .receive_bytes = bytes});
    });
    exchange(call, transfers);
    sum_in_order<T>(parts, to + begin, count);
  }
}

void MpiRanks::all_gather(const Communication& call) {
  const std::size_t bytes = call.send.bytes();
  auto* const x = static_cast<std::byte*>(call.receive.raw());
  const auto place = [&](int rank) { return x + bytes * static_cast<std::size_t>(rank); };
  if (bytes > 0) std::memmove(place(rank_), call.send.raw(), bytes);
  std::vector<Transfer> transfers;
  for_others([&](int peer) {
    transfers.push_back({.peer = peer,
                         .from = place(rank_),
                         .send_bytes = bytes,
                         .to = place(peer),
                         .receive_bytes = bytes});
  });
  exchange(call, transfers);
}

void MpiRanks::all_to_all(const Communication& call) {
  const std::size_t row = static_cast<std::size_t>(call.send.size(1)) * size_of(call.send.dtype());
  std::vector<std::size_t> from, to;
  std::size_t sent = 0, taken = 0;
  for (std::size_t i = 0; i < members_.size(); ++i) {
    from.push_back(sent);
    to.push_back(taken);
    sent += row * static_cast<std::size_t>(call.send_rows[i]);
    taken += row * static_cast<std::size_t>(call.receive_rows[i]);
  }
  const auto* const send = static_cast<const std::byte*>(call.send.raw());
  auto* const receive = static_cast<std::byte*>(call.receive.raw());
  const auto transfer = [&](int peer) {
    const auto i = static_cast<std::size_t>(peer);
    return Transfer{.peer = peer,
                    .from = send + from[i],
                    .send_bytes = row * static_cast<std::size_t>(call.send_rows[i]),
                    .to = receive + to[i],
                    .receive_bytes = row * static_cast<std::size_t>(call.receive_rows[i]),
                    .send_rows = call.send_rows[i],
                    .receive_rows = call.receive_rows[i]};
  };
  const Transfer own = transfer(rank_);
  require(own.send_bytes == own.receive_bytes, "ranks",
          "rank {} sends {} rows to rank {}, which takes {}", rank_, own.send_rows, rank_,
          own.receive_rows);
  std::vector<Transfer> transfers;
  for_others([&](int peer) { transfers.push_back(transfer(peer)); });
  exchange(call, transfers);
  if (own.send_bytes > 0) std::memcpy(own.to, own.from, own.send_bytes);
}

void MpiRanks::broadcast(const Communication& call) {
  const std::size_t bytes = call.send.bytes();
  std::vector<Transfer> transfers;
  const auto transfer = [&](int peer) {
    transfers.push_back({.peer = peer,
                         .from = call.send.raw(),
                         .send_bytes = bytes,
                         .to = call.receive.raw(),
                         .receive_bytes = bytes,
                         .sends = rank_ == call.peer,
                         .receives = rank_ != call.peer});
  };
  if (rank_ == call.peer) {
    for_others(transfer);
  } else {
    transfer(call.peer);
  }
  exchange(call, transfers);
}

void MpiRanks::barrier(const Communication& call) {
  std::vector<Transfer> transfers;
  for_others([&](int peer) { transfers.push_back({.peer = peer}); });
  exchange(call, transfers);
}

/// The bytes are copied, so that the sender goes on at once.
void MpiRanks::send(const Communication& call) {
  const auto* bytes = static_cast<const std::byte*>(call.send.raw());
  const std::size_t count = call.send.bytes();
  Head head = head_of(call);
  head.bytes = static_cast<std::int64_t>(count);
  std::vector<std::byte> first(sizeof head);
  std::memcpy(first.data(), &head, sizeof head);
  if (count <= kWithHead) first.insert(first.end(), bytes, bytes + count);
  link_->send_away(std::move(first), world_rank(call.peer), tag(kMessageHead));
  if (count <= kWithHead) return;
  for (std::size_t from = 0; from < count; from += MpiLink::kPiece) {
    const std::byte* const at = bytes + from;
    link_->send_away({at, at + std::min(MpiLink::kPiece, count - from)}, world_rank(call.peer),
                     tag(kMessageRest));
  }
}

void MpiRanks::receive(const Communication& call) {
  const std::size_t count = call.receive.bytes();
  std::vector<std::byte> first(kFirst);
  MPI_Request request =
      link_->receive(first.data(), kFirst, world_rank(call.peer), tag(kMessageHead));
  link_->wait({&request, 1});
  Head head;
  std::memcpy(&head, first.data(), sizeof head);
  if (head.bytes != static_cast<std::int64_t>(count)) {
    const std::string sent = describe(head);
    throw Error("ranks",
                fmt::format("rank {} sent {} where rank {} takes {}", call.peer,
                            sent.substr(sent.find(" of ") + 4), rank_, call.receive.describe()));
  }
  if (count <= kWithHead) {
    if (count > 0) std::memcpy(call.receive.raw(), first.data() + sizeof head, count);
    return;
  }
  std::vector<MPI_Request> rests;
  for (std::size_t from = 0; from < count; from += MpiLink::kPiece) {
    rests.push_back(link_->receive(static_cast<std::byte*>(call.receive.raw()) + from,
                                   std::min(MpiLink::kPiece, count - from), world_rank(call.peer),
                                   tag(kMessageRest)));
  }
  link_->wait(rests);
}

/// Ranks tell each other their colours, and from which number on tags are free. The numbers of the
/// new groups are then free on all of them, so that no two groups with a common rank share tags.
std::unique_ptr<Communicator> MpiRanks::make_group(int colour) {
  std::vector<std::int64_t> told(2 * members_.size());
  std::int64_t own[] = {colour, link_->next_group()};
  Context context;
  Communicator::all_gather(context, Tensor(own, DType::I64, {2}),
                           Tensor(told.data(), DType::I64, {std::ssize(told)}));
  std::vector<std::int64_t> colours;
  std::int64_t free = 0;
  std::vector<int> members;
  int rank = 0;
  for (int i = 0; i < size(); ++i) {
    const auto at = static_cast<std::size_t>(2 * i);
    colours.push_back(told[at]);
    free = std::max(free, told[at + 1]);
    if (told[at] != colour) continue;
    if (i < rank_) ++rank;
    members.push_back(world_rank(i));
  }
  std::sort(colours.begin(), colours.end());
  colours.erase(std::unique(colours.begin(), colours.end()), colours.end());
  const auto place = std::lower_bound(colours.begin(), colours.end(), colour) - colours.begin();
  link_->use_groups_before(static_cast<int>(free + std::ssize(colours)));
  return std::make_unique<MpiRanks>(link_, std::move(members), rank,
                                    static_cast<int>(free + place));
}

std::unique_ptr<Communicator> connect() {
  auto link = std::make_shared<MpiLink>();
  std::vector<int> members(static_cast<std::size_t>(link->size()));
  std::iota(members.begin(), members.end(), 0);
  const int rank = link->rank();
  return std::make_unique<MpiRanks>(std::move(link), std::move(members), rank, /*number=*/0);
}

const char* version() {
  static char text[MPI_MAX_LIBRARY_VERSION_STRING];
  int length = 0;
  MPI_Get_library_version(text, &length);
  return text;
}

}  // namespace
}  // namespace tessera

extern "C" const tessera::MpiPlugin* tessera_mpi_plugin() {
  static const tessera::MpiPlugin plugin = [] {
    tessera::MpiPlugin made;
    made.connect = tessera::connect;
    made.version = tessera::version;
    return made;
  }();
  return &plugin;
}
