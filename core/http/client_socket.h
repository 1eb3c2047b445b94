// SPDX-License-Identifier: MIT
// Whether the client of a request is still there. The library tells that only to who writes, and an
// answer that does not stream writes nothing for a long time.
#pragma once

#include <string>

namespace tessera {

class ClientSocket {
 public:
  /// The connection of this process whose other end is `address`:`port`.
  ClientSocket(const std::string& address, int port);

  /// The client has closed the connection. False where the connection was not found.
  bool has_left() const;

 private:
  int descriptor_ = -1;
};

}  // namespace tessera
