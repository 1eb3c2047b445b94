// SPDX-License-Identifier: MIT
// The small key-value store at MASTER_ADDR:MASTER_PORT that rank 0 serves: how ranks find each
// other, what they tell each other from the host, and how all learn that one of them is lost.
#pragma once

#include <memory>

#include "distributed/store/endpoint.h"

namespace tessera {

/// Serves in a thread of its own. A rank whose connection ends without a farewell is lost: whoever
/// waits for something, or will ask, is then told so.
class StoreServer {
 public:
  /// `ranks`: how many will join. Port 0 takes a free one. Throws Error where it cannot listen.
  StoreServer(const Endpoint& at, int ranks);
  /// Waits for ten seconds at most: until all that joined have left or are lost and, where the work
  /// ended with an error, those that never came have asked and been told why.
  ~StoreServer();
  int port() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tessera
