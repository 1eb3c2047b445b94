// SPDX-License-Identifier: MIT
#include "core/http/connection_threads.h"

#include <utility>

namespace tessera {

void ConnectionThreads::add(std::function<void()> work_of_connection) {
  const std::lock_guard lock(mutex_);
  queue_.push_back(std::move(work_of_connection));
  if (queue_.size() > idle_ && threads_.size() < most_) {
    threads_.emplace_back([this] { work(); });
  }
  wake_.notify_one();
}

void ConnectionThreads::work() {
  std::unique_lock lock(mutex_);
  while (true) {
    ++idle_;
    wake_.wait(lock, [&] { return finishing_ || !queue_.empty(); });
    --idle_;
    if (queue_.empty()) return;
    const std::function<void()> next = std::move(queue_.front());
    queue_.pop_front();
    lock.unlock();
    next();
    lock.lock();
  }
}

void ConnectionThreads::finish() {
  {
    const std::lock_guard lock(mutex_);
    finishing_ = true;
    wake_.notify_all();
  }
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

}  // namespace tessera
