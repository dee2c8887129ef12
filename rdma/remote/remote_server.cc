#include "rdma/remote/remote_server.h"

#include <fmt/format.h>
#include <unistd.h>

#include <utility>

#include "rdma/remote/control.h"

namespace tandem::rdma {

namespace {

// For the server's log.
std::string WhoWeAre() {
  char host[65] = "?";
  (void)gethostname(host, sizeof host - 1);
  return fmt::format("{}:{}", host, getpid());
}

}  // namespace

StatusOr<std::unique_ptr<RemoteServer>> RemoteServer::Join(std::string_view url) {
  std::unique_ptr<RemoteServer> server(new RemoteServer);
  server->url_ = url;
  const size_t scheme_end = url.find("://");
  const std::string place(scheme_end == url.npos ? "" : url.substr(scheme_end + 3));
  std::string address = place;
  std::string host;
  if (url.starts_with("shm://")) {
    server->provider_ = Provider::kShm;
    StatusOr<std::string> socket = SharedMemoryControlAddress(place);
    if (!socket.ok()) return socket.status();
    address = *socket;
  } else {
    const size_t colon = place.rfind(':');
    if (!url.starts_with("tcp://") || colon == place.npos || colon == 0 ||
        colon + 1 == place.size()) {
      return Status::InvalidArgument(
          fmt::format("'{}' names no memory server; valid are tcp://HOST:PORT and shm://NAME",
                      url.substr(0, 80)));
    }
    host = place.substr(0, colon);
    if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
      host = host.substr(1, host.size() - 2);
    }
  }
  const StatusOr<Credentials> credentials = Credentials::FromEnvironment();
  if (!credentials.ok()) return credentials.status();
  server->control_ = ControlClient::Make(address, credentials.value());
  auto joined = server->control_->Join(NameOf(server->provider_), WhoWeAre());
  if (!joined.ok()) return joined.status();
  server->joined_ = std::move(*joined);
  const bool tcp = server->provider_ == Provider::kTcp;
  auto info = GetInfo(server->provider_, tcp ? host.c_str() : nullptr,
                      tcp ? server->joined_.service.c_str() : nullptr, 0);
  if (!info.ok()) return info.status();
  server->info_ = std::move(*info);
  fid_fabric* fabric = nullptr;
  if (int r = Ofi().fabric(server->info_->fabric_attr, &fabric, nullptr); r != 0) {
    return OfiError("opening the fabric", r);
  }
  server->fabric_.reset(fabric);
  return server;
}

RemoteServer::~RemoteServer() {
  if (joined_.id.client != 0 && !lost()) (void)control_->Leave(joined_.id);
}

StatusOr<Extent> RemoteServer::Borrow(uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  if (open_.bytes - open_used_ < bytes) {
    auto lent = control_->Lend(joined_.id, bytes);
    if (!lent.ok()) return Note(lent.status());
    open_ = *lent;
    open_used_ = 0;
  }
  const Extent extent{bytes, open_.key, open_.base + open_used_};
  open_used_ += bytes;
  return extent;
}

Status RemoteServer::Renew() { return Note(control_->Renew(joined_.id)); }

StatusOr<std::string> RemoteServer::OpenRoad(const RoadNumber& road, const std::string& endpoint) {
  auto address = control_->OpenRoad(joined_.id, road, endpoint);
  if (!address.ok()) return Note(address.status());
  return address;
}

Status RemoteServer::Note(Status status) {
  if (status.code() == StatusCode::kDataLoss) lost_.store(true, std::memory_order_relaxed);
  return status;
}

}  // namespace tandem::rdma
