// SPDX-License-Identifier: MIT
// What the store holds, apart from any socket: values, who waits for what, ranks, why it ended.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "distributed/store/endpoint.h"
#include "distributed/store/wire.h"

namespace tessera {

/// One for each connection, by its number. Not thread safe.
class StoreState {
 public:
  using Time = std::chrono::steady_clock::time_point;
  /// Takes an answer, length first, for a connection.
  using Tell = std::function<void(int connection, std::string answer)>;

  StoreState(int ranks, Tell tell) : size_(ranks), tell_(std::move(tell)) {}

  /// Carries a message out. Throws Error where it cannot be understood; the connection is then to
  /// be closed.
  void handle(int connection, std::string_view message, Time now);
  /// The connection has ended.
  void closed(int connection);
  /// Tells those whose waiting has lasted too long.
  void end_waiting(Time now);
  /// When end_waiting() is to be called next at the latest.
  std::optional<Time> next_deadline() const;
  bool has_joined(int connection) const { return members_.contains(connection); }
  /// No rank is connected.
  bool is_empty() const { return members_.empty(); }
  /// The work has ended with an error, and a rank that never came has not been told why.
  bool owes_the_reason() const { return !aborted_.empty() && std::ssize(ranks_) < size_; }

 private:
  struct Member {
    int rank = -1;
    bool watches = false, left = false;
  };
  struct Rank {
    std::int64_t process = 0;
    std::string host, doing;
    Time heard{};
  };
  struct Waiting {
    std::string key;
    bool gathers = false, takes = false;
    Time until;
  };
  struct Gathering {
    std::vector<std::optional<std::string>> parts;
    std::size_t here = 0;
    std::vector<int> connections;
  };

  void join(int connection, wire::Reader& fields, Time now);
  void set(std::string key, std::string value);
  void get(int connection, wire::Reader& fields, bool takes, Time now);
  void add(int connection, wire::Reader& fields);
  void compare(int connection, wire::Reader& fields);
  void gather(int connection, wire::Reader& fields, Time now);
  void about(int connection, wire::Reader& fields, Time now);
  void abort(const std::string& reason);
  void answer(int connection, wire::Answer kind, std::string_view text = {});
  void wait(int connection, Waiting waiting);
  void time_out(int connection, const Waiting& waiting);
  std::string name_of(int rank) const;

  int size_;
  Tell tell_;
  std::string aborted_;
  std::map<std::string, std::string, std::less<>> values_;
  std::map<std::string, Gathering, std::less<>> gatherings_;
  std::map<int, Member> members_;                                  ///< by connection
  std::map<int, Rank> ranks_;                                      ///< those that ever came
  std::map<int, Waiting> waiting_;                                 ///< by connection
  std::map<std::string, std::set<int>, std::less<>> waiting_for_;  ///< connections by key
};

}  // namespace tessera
