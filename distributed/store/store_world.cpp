// SPDX-License-Identifier: MIT
#include "distributed/store/store_world.h"

#include <optional>

#include "distributed/store/store_group.h"
#include "distributed/store/store_server.h"

namespace tessera {

namespace {
/// What the ranks' calls go through; made before them and gone after them.
struct StoreSeat {
  explicit StoreSeat(const StorePlace& place) {
    Endpoint at{place.master_address, place.master_port};
    if (place.rank == 0) {
      server.emplace(at, place.size);
      at.port = server->port();
    }
    client.emplace(at, place.rank, place.size, place.join_limit);
  }
  ~StoreSeat() { client.reset(); }  // takes leave before its server ends
  StoreSeat(const StoreSeat&) = delete;
  StoreSeat& operator=(const StoreSeat&) = delete;

  std::optional<StoreServer> server;
  std::optional<StoreClient> client;
};

class StoreWorld : private StoreSeat, public StoreRanks {
 public:
  explicit StoreWorld(const StorePlace& place)
      : StoreSeat(place), StoreRanks(*client, place.hang_limit) {}
};
}  // namespace

std::unique_ptr<Communicator> make_store_ranks(const StorePlace& place) {
  return std::make_unique<StoreWorld>(place);
}

}  // namespace tessera
