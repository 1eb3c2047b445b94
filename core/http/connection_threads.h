// SPDX-License-Identifier: MIT
// A thread for every connection, as many as are open at a time: an answer takes minutes, and
// connections that wait for one must not keep others from being heard.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace tessera {

class ConnectionThreads {
 public:
  /// Connections beyond `most` wait.
  explicit ConnectionThreads(std::size_t most) : most_(most) {}
  ~ConnectionThreads() { finish(); }
  ConnectionThreads(const ConnectionThreads&) = delete;
  ConnectionThreads& operator=(const ConnectionThreads&) = delete;

  void add(std::function<void()> work);
  /// Returns when all that was added is done.
  void finish();

 private:
  void work();

  std::size_t most_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> queue_;
  std::vector<std::thread> threads_;
  std::size_t idle_ = 0;
  bool finishing_ = false;
};

}  // namespace tessera
