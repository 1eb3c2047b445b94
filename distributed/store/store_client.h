// SPDX-License-Identifier: MIT
// A rank's connection to the store (store_server.h).
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "distributed/store/endpoint.h"

namespace tessera {

/// Keys and values are any bytes. Calls throw Error once a rank is lost, with the reason, and where
/// the store itself does not answer. Safe from any thread, one call at a time.
class StoreClient {
 public:
  using Patience = std::chrono::milliseconds;

  /// Rank `rank` of `size` joins. Throws Error where the store cannot be reached before the
  /// deadline, is another program, or refuses the rank.
  StoreClient(const Endpoint& server, int rank, int size, Patience patience);
  /// Takes leave. Whoever goes without is lost to the others.
  ~StoreClient();

  int rank() const;
  int size() const;
  const Endpoint& server() const;

  void set(std::string_view key, std::string_view value);
  /// Waits for the value; nothing where it does not come in time.
  std::optional<std::string> get(std::string_view key, Patience patience);
  /// The same, and the key is free again.
  std::optional<std::string> take(std::string_view key, Patience patience);
  /// Adds to a number, 0 where there is none, and returns the sum.
  std::int64_t add(std::string_view key, std::int64_t number);
  /// Sets `wanted` where the value is `expected` (empty: where there is none); the value then.
  std::string compare_and_set(std::string_view key, std::string_view expected,
                              std::string_view wanted);
  /// Waits until `count` ranks have come with a part each for a key, and returns the parts in the
  /// order of their indices. `missing` is called with the indices that did not come in time, and
  /// is to throw.
  std::vector<std::string> gather(std::string_view key, std::int64_t index, std::int64_t count,
                                  std::string_view part, Patience patience,
                                  const std::function<void(std::vector<int>)>& missing);
  /// "rank 1 (process 4711 on host node7) was last heard of 12.0 s ago, in all_reduce 3 of F32(2)".
  std::string about(int rank);

  /// This rank ends with an error: all others learn of it.
  void abort(const std::string& reason) noexcept;
  /// Why the ranks cannot go on; empty while they can.
  std::string aborted() const;
  /// Called once when aborted() becomes something, from a thread of the client's own; at once where
  /// it is something already.
  void on_abort(std::function<void()> call);
  /// What this rank is doing, for about(). Cheap: it is sent once a second.
  void doing(std::string what);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tessera
