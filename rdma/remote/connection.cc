#include "rdma/remote/connection.h"

#include <string>

#include "rdma/remote/remote_server.h"
#include "rdma/remote/transport.h"

namespace tandem::rdma {

StatusOr<std::unique_ptr<Connection>> Connection::Start(RemoteServer& server, RoadNumber road) {
  std::string address;
  if (!HasConnections(server.provider())) {
    StatusOr<std::string> opened = server.OpenRoad(road);
    if (!opened.ok()) return opened.status();
    address = *opened;
  }
  return server.transport().Connect(road, address);
}

}  // namespace tandem::rdma
