// SPDX-License-Identifier: MIT
// What layers and the trainer ask of other ranks. Transports implement it in distributed/.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "core/base/context.h"
#include "core/base/tensor.h"

namespace tessera {

class CallRecord;
class Timeline;

/// One call to other ranks, as a transport is handed it. `send` and `receive` are contiguous;
/// either is absent where the operation has none, and both are the same tensor where it works in
/// place.
struct Communication {
  enum class Kind : std::uint8_t {
    AllReduce,
    ReduceScatter,
    AllGather,
    AllToAll,
    Send,
    Receive,
    Broadcast,
    Barrier,
  };
  Kind kind = Kind::Barrier;
  Tensor send{}, receive{};
  std::span<const std::int64_t> send_rows{},
      receive_rows{};          ///< AllToAll: rows to and from each rank
  int peer = -1;               ///< Send: to; Receive and Broadcast: from
  std::uint64_t sequence = 0;  ///< how many calls this rank made in this group before

  bool is_collective() const { return kind != Kind::Send && kind != Kind::Receive; }

  /// What the rank puts in, or where it puts in nothing what it takes out.
  std::int64_t bytes() const;
  /// "all-reduce 17 of F32(100)".
  std::string describe() const;
};
const char* name_of(Communication::Kind kind);

/// A group of ranks. Every rank of the group makes the same collective calls in the same order; a
/// send has its receive. Calls take the Context as operations do: they keep the order of its
/// stream, a dry run leaves them out, a profile times them by name. They throw Error where a tensor
/// does not fit, and naming the rank where a peer is lost.
class Communicator {
 public:
  virtual ~Communicator() = default;
  virtual int rank() const = 0;
  virtual int size() const = 0;

  /// x of every rank becomes the sum over ranks. F32, F64 and I64, as all sums.
  void all_reduce(Context& context, const Tensor& x);
  /// `share` becomes this rank's run of the sum of x over ranks: x has size() runs of share's size.
  void reduce_scatter(Context& context, const Tensor& x, const Tensor& share);
  /// x, size() runs of share's size, becomes the shares of all ranks in the order of ranks.
  void all_gather(Context& context, const Tensor& share, const Tensor& x);
  /// Rows of `send` (s, width), first those for rank 0, then for rank 1, ..., go to their ranks;
  /// `receive` (r, width) takes those from rank 0, from rank 1, .... The counts are on the host,
  /// one for each rank: `receive_rows[i]` is what rank i sends here.
  void all_to_all(Context& context, const Tensor& send, std::span<const std::int64_t> send_rows,
                  const Tensor& receive, std::span<const std::int64_t> receive_rows);
  /// Does not wait for the receiver: x may be written to again afterwards, in the stream's order.
  void send(Context& context, const Tensor& x, int to);
  void receive(Context& context, const Tensor& x, int from);
  /// x of every rank becomes that of rank `from`, whatever its type.
  void broadcast(Context& context, const Tensor& x, int from);
  void barrier(Context& context);

  /// Waits until the calls made so far on the context's stream are done. What they wrote on a GPU
  /// is not to be believed before: a call that a lost rank left unfinished ends as if it were done,
  /// and throws here. Nothing on the CPU, whose calls are done when they return.
  virtual void settle(Context&) {}

  /// The group of those ranks that name the same colour, in the order of their numbers here; `name`
  /// is for messages. A collective call. The group must not outlive this one.
  std::unique_ptr<Communicator> split(int colour, const std::string& name = "split");
  /// This rank ends with an error: what the others wait for, or will ask for, throws Error with
  /// `reason` and this rank's number; this rank's own waits end with an Error too. May be called at
  /// any time and from any thread; throws nothing.
  void abort(const std::string& reason) noexcept;

  /// From now on every call is noted there, and those of groups that are split off later. For the
  /// group of all ranks.
  void record_calls(std::shared_ptr<CallRecord> record);

  /// From now on collective calls of this group and of those split off it are spans there, besides
  /// what a caller notes itself; null: no more.
  void show_calls(Timeline* timeline) { *timeline_ = timeline; }

  /// While one lives, this rank's calls may wait for work of unknown length, as for what rank 0
  /// prepares: whoever looks for ranks that hang leaves them alone.
  class LongWait {
   public:
    explicit LongWait(Communicator& ranks) : ranks_(ranks), before_(ranks.may_last_) {
      ranks_.may_last_ = true;
    }
    ~LongWait() { ranks_.may_last_ = before_; }
    LongWait(const LongWait&) = delete;
    LongWait& operator=(const LongWait&) = delete;

   private:
    Communicator& ranks_;
    bool before_;
  };

  /// Calls made so far, dry runs left out.
  std::uint64_t calls() const { return calls_; }
  /// How long this rank's threads were in calls of this group and of those that were split off each
  /// other, until now, in nanoseconds. Calls on a GPU's stream return before they are done.
  std::int64_t nanoseconds_in_calls() const { return *in_calls_ns_; }

 protected:
  /// Whether a LongWait lives.
  bool may_last() const { return may_last_; }
  virtual void carry_out(Context& context, const Communication& call) = 0;
  /// What split() and abort() come down to in a transport.
  virtual std::unique_ptr<Communicator> make_group(int colour) = 0;
  virtual void end_others(const std::string& reason) noexcept = 0;

 private:
  class Note;
  void call(Context& context, Communication call);
  void check_peer(int peer) const;

  std::uint64_t calls_ = 0;
  std::uint64_t splits_ = 0;
  std::uint64_t key_ = 0;  ///< the same on all ranks of the group, another one for each group
  std::shared_ptr<CallRecord> record_;
  // One for all groups that were split off each other.
  std::shared_ptr<Timeline*> timeline_ = std::make_shared<Timeline*>(nullptr);
  std::shared_ptr<std::atomic<std::int64_t>> in_calls_ns_ =
      std::make_shared<std::atomic<std::int64_t>>(0);
  int group_ = 0;  ///< the record's number of this group
  bool may_last_ = false;
};

}  // namespace tessera
