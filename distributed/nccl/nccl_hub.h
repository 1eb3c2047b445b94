// SPDX-License-Identifier: MIT
// What all groups of a process with a GPU share: the store, NCCL, and the end of both.
#pragma once

#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "distributed/nccl/last_resort.h"
#include "distributed/nccl/nccl_library.h"
#include "distributed/nccl/nccl_ranks.h"
#include "distributed/store/store_client.h"
#include "distributed/store/store_server.h"

namespace tessera {

/// Safe from any thread, but for what streams are waited for. Functions throw Error where the ranks
/// cannot go on, with the rank that was lost and why.
class NcclHub {
 public:
  /// Rank 0 serves the store, and all join it.
  NcclHub(const NcclPlace& place, const NcclOptions& options);
  /// Groups are gone before: each holds the hub.
  ~NcclHub();

  const NcclOptions& options() const { return options_; }
  const NcclLibrary& library() const { return library_; }
  StoreClient& client() { return *client_; }

  void throw_if_aborted();

  /// Runs `work` on NCCL while no other thread uses it.
  template <class Work>
  auto with_nccl(const Work& work) {
    const std::lock_guard lock(nccl_);
    throw_if_aborted();
    return work();
  }

  /// Waits for the other ranks of the group, which begin it with the same id.
  void* begin_group(const NcclLibrary::Id& id, int rank, int size);
  /// Enqueues a call, and waits until NCCL takes the next one.
  void enqueue(void* group, const Communication& call, void* stream);
  /// Until all that was put on the stream is done; what it wrote can then be believed.
  void wait_for_stream(void* stream);
  /// What this rank is doing, for messages.
  void doing(const std::string& what);
  void close(void* group) noexcept;

 private:
  void wait_until_ready(void* group, const std::string& what);
  [[noreturn]] void throw_failed(const std::string& what, const std::string& failure);
  [[noreturn]] void throw_late(const std::string& what);
  void abort_all();

  const NcclOptions options_;
  const NcclLibrary& library_;
  LastResort last_resort_;
  std::timed_mutex nccl_;
  std::vector<void*> groups_;
  std::string last_call_;
  std::optional<StoreServer> server_;
  std::optional<StoreClient> client_;
};

}  // namespace tessera
