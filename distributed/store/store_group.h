// SPDX-License-Identifier: MIT
// Calls of a group of ranks whose tensors lie on the host, carried out over the store.
//
// Meant for what ranks tell each other between steps: an order, a count, a few thousand numbers.
// All parts go through rank 0, each rank gets all of them, and sums are taken in the order of
// ranks, so every rank has the same bits, in every run.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/base/communicator.h"
#include "distributed/store/store_client.h"

namespace tessera {

class StoreGroup {
 public:
  using Patience = std::chrono::milliseconds;

  /// `members`: the numbers of the group's ranks in the whole run, in their order in the group.
  /// `name`: of this group, the same on its ranks, and of no other. `client` must outlive it.
  StoreGroup(StoreClient& client, std::string name, std::vector<int> members, Patience patience);

  int rank() const { return rank_; }
  int size() const { return static_cast<int>(members_.size()); }
  const std::vector<int>& members() const { return members_; }
  const std::string& name() const { return name_; }
  StoreClient& client() const { return client_; }
  Patience patience() const { return patience_; }

  /// Throws Error on every rank where they call for different things, and where a rank does not
  /// come in time, naming it. `may_last`: there is no such time, as rank 0 has work of unknown
  /// length.
  void carry_out(const Communication& call, bool may_last = false);
  /// The group of the ranks that name the same colour, in the order of their numbers here.
  StoreGroup split(int colour);

 private:
  std::vector<std::string> gather(const Communication& call, std::string_view part,
                                  Patience patience);
  void send(const Communication& call);
  void receive(const Communication& call, Patience patience);
  [[noreturn]] void throw_late(const Communication& call, Patience patience,
                               const std::vector<int>& missing);

  StoreClient& client_;
  std::string name_;
  std::vector<int> members_;
  Patience patience_;
  int rank_ = 0;
  std::uint64_t calls_ = 0, splits_ = 0;
  std::map<int, std::uint64_t> sent_, received_;  ///< messages so far, by peer
};

/// Ranks that need nothing but the network, on the CPU. Slow for large tensors.
class StoreRanks : public Communicator {
 public:
  StoreRanks(StoreClient& client, std::chrono::milliseconds patience);

  int rank() const override { return group_.rank(); }
  int size() const override { return group_.size(); }

 protected:
  std::unique_ptr<Communicator> make_group(int colour) override;
  void end_others(const std::string& reason) noexcept override;
  void carry_out(Context& context, const Communication& call) override;

 private:
  explicit StoreRanks(StoreGroup group) : group_(std::move(group)) {}
  StoreGroup group_;
};

/// "rank 1 ended with an error: REASON", as every transport words it.
std::string ended_with(int rank, const std::string& reason);

}  // namespace tessera
