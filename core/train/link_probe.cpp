// SPDX-License-Identifier: MIT
#include "core/train/link_probe.h"

#include <algorithm>
#include <chrono>
#include <optional>

namespace tessera {

namespace {
/// Large enough that what a message costs besides its bytes does not count.
constexpr std::int64_t kProbeElements = std::int64_t{1} << 20;
/// The sender waits for an answer after so long, so that what is measured has arrived.
constexpr double kProbeBatch_s = 0.05;

double probe_clock_s() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/// One direction between two ranks; both call it. The sender's answer, 0 on the other.
class DirectionProbe {
 public:
  explicit DirectionProbe(Communicator& ranks) : ranks_(ranks), data_(kProbeElements) {}

  double send_to(int peer, double seconds) {
    const double start = probe_clock_s();
    std::int64_t sent = 0, batch = 1;
    while (probe_clock_s() - start < seconds) {
      const double began = probe_clock_s();
      tell(batch, peer);
      for (std::int64_t i = 0; i < batch; ++i) ranks_.send(context_, block(), peer);
      hear(peer);
      sent += batch;
      if (probe_clock_s() - began < kProbeBatch_s) batch *= 2;
    }
    const double took = probe_clock_s() - start;
    tell(0, peer);
    return static_cast<double>(sent * kProbeElements) * sizeof(float) / took;
  }
  void receive_from(int peer) {
    while (const std::int64_t batch = hear(peer)) {
      for (std::int64_t i = 0; i < batch; ++i) ranks_.receive(context_, block(), peer);
      tell(batch, peer);
    }
  }

 private:
  Tensor block() { return Tensor(data_.data(), DType::F32, {kProbeElements}); }
  void tell(std::int64_t number, int peer) {
    ranks_.send(context_, Tensor(&number, DType::I64, {1}), peer);
  }
  std::int64_t hear(int peer) {
    std::int64_t number = 0;
    ranks_.receive(context_, Tensor(&number, DType::I64, {1}), peer);
    return number;
  }

  Communicator& ranks_;
  std::vector<float> data_;
  Context context_;
};
}  // namespace

std::vector<LinkSpeed> probe_links(Communicator& ranks, const std::vector<std::string>& hosts,
                                   double seconds) {
  std::vector<int> firsts;  // of each host
  for (int rank = 0; rank < static_cast<int>(hosts.size()); ++rank) {
    const auto before = hosts.begin() + rank;
    if (std::find(hosts.begin(), before, *before) == before) firsts.push_back(rank);
  }
  std::vector<LinkSpeed> speeds;
  DirectionProbe probe(ranks);
  Context context;
  for (const int from : firsts) {
    for (const int to : firsts) {
      if (from == to) continue;
      double speed = 0;
      if (ranks.rank() == from) speed = probe.send_to(to, seconds);
      if (ranks.rank() == to) probe.receive_from(from);
      // Whoever stands by waits for these two as long as they take. They themselves do not: one
      // that is lost or hangs is found by the other.
      std::optional<Communicator::LongWait> stands_by;
      if (ranks.rank() != from && ranks.rank() != to) stands_by.emplace(ranks);
      ranks.broadcast(context, Tensor(&speed, DType::F64, {1}), from);
      speeds.push_back(
          {hosts[static_cast<std::size_t>(from)], hosts[static_cast<std::size_t>(to)], speed});
    }
  }
  return speeds;
}

}  // namespace tessera
