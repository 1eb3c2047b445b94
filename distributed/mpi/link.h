// SPDX-License-Identifier: MIT
// Messages between processes over MPI, without blocking inside of it: whoever waits sees at once
// when another rank ends with an error.
#pragma once

#include <mpi.h>

#include <atomic>
#include <cstddef>
#include <list>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

namespace tessera {

/// One in a process. Ranks are those of MPI_COMM_WORLD. Functions throw Error.
class MpiLink {
 public:
  MpiLink();
  /// Says goodbye to the others and leaves MPI. After an error it waits for their goodbyes for some
  /// seconds only, so that they have time for last words: a starter ends all ranks when one ends.
  ~MpiLink();
  MpiLink(const MpiLink&) = delete;
  MpiLink& operator=(const MpiLink&) = delete;

  int rank() const { return rank_; }
  int size() const { return size_; }

  /// Starts a transfer of at most kPiece bytes.
  MPI_Request send(const void* data, std::size_t bytes, int to, int tag);
  MPI_Request receive(void* data, std::size_t bytes, int from, int tag);
  /// Until all are done. Throws Error where another rank has ended with one, or end() was called.
  /// `received`, if there, gets the bytes of each.
  void wait(std::span<MPI_Request> requests, std::vector<std::size_t>* received = nullptr);
  /// A message that nobody waits for; the bytes are kept until it is gone.
  void send_away(std::vector<std::byte> bytes, int to, int tag);

  /// A number for groups that no rank of `candidates` has used yet is the largest of theirs.
  int next_group() const { return next_group_; }
  void use_groups_before(int next) { next_group_ = next; }

  /// Tells all others that this rank ends, and ends its own waiting. From any thread.
  void end(const std::string& reason) noexcept;

  static constexpr std::size_t kPiece = std::size_t{1} << 30;  ///< MPI counts in int
  static constexpr int kTagsOfGroup = 8;

 private:
  struct Away {
    std::vector<std::byte> bytes;
    MPI_Request request;
  };
  void listen();
  void look_for_notes();
  void throw_if_ended();
  void forget(std::span<MPI_Request> requests) noexcept;
  void drop_sent();
  bool send_rest(double seconds);
  void say_goodbye() noexcept;
  void wait_for_goodbyes();

  int rank_ = 0, size_ = 1;
  int next_group_ = 1;  ///< 0 is for notes
  MPI_Comm notes_ = MPI_COMM_NULL;
  std::atomic<bool> ended_{false};
  std::mutex mutex_;  ///< guards what follows
  std::string why_;   ///< it ended: for this rank's waits
  MPI_Request note_ = MPI_REQUEST_NULL;
  std::vector<char> note_text_;
  int goodbyes_ = 0;
  std::list<Away> away_;
};

}  // namespace tessera
