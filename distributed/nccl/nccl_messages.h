// SPDX-License-Identifier: MIT
// Messages from one GPU to another one that do not wait for their receiver.
//
// NCCL's send keeps its stream waiting until the receiver has come, and a communicator carries out
// one call after the other: two ranks that first send to each other and then receive would wait for
// ever. So each direction between two ranks has a communicator and a stream of its own: a message
// is copied aside on the Context's stream, which goes on, and leaves from there.
#pragma once

#include <map>
#include <memory>

#include "distributed/nccl/nccl_hub.h"
#include "distributed/store/store_group.h"

namespace tessera {

/// Of one group. Use from one thread.
class NcclMessages {
 public:
  /// Both must outlive this.
  NcclMessages(NcclHub& hub, StoreGroup& hosts);
  ~NcclMessages();
  void send(Context& context, const Communication& call);
  void receive(Context& context, const Communication& call);

 private:
  class Outgoing;
  class Incoming;
  std::string key_of(int from, int to) const;
  NcclHub& hub_;
  StoreGroup& hosts_;
  std::map<int, std::unique_ptr<Outgoing>> to_;
  std::map<int, std::unique_ptr<Incoming>> from_;
};

}  // namespace tessera
