#include "rdma/remote/connection.h"

#include <string>

#include "rdma/remote/remote_server.h"
#include "rdma/remote/transport.h"

namespace tandem::rdma {

StatusOr<std::unique_ptr<Connection>> Connection::Start(RemoteServer& server, RoadNumber road) {
  return server.transport().Connect(road, [&server, &road](const std::string& endpoint) {
    return server.OpenRoad(road, endpoint);
  });
}

}  // namespace tandem::rdma
