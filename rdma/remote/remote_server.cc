#include "rdma/remote/remote_server.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "rdma/remote/control.h"
#include "rdma/remote/host_port.h"
#include "rdma/remote/verbs/library.h"
#include "runtime/base/clock.h"

namespace tandem::rdma {

namespace {

constexpr uint64_t kAskAgainNs = 200'000'000;

// For the server's log.
std::string WhoWeAre() {
  char host[65] = "?";
  (void)gethostname(host, sizeof host - 1);
  return fmt::format("{}:{}", host, getpid());
}

}  // namespace

StatusOr<std::unique_ptr<RemoteServer>> RemoteServer::Join(std::string_view url, uint64_t depth,
                                                           const std::string& source) {
  std::unique_ptr<RemoteServer> server(new RemoteServer);
  server->url_ = url;
  const size_t scheme_end = url.find("://");
  const std::optional<Provider> provider =
      ProviderNamed(url.substr(0, std::min(scheme_end, url.size())));
  std::string address(scheme_end == url.npos ? "" : url.substr(scheme_end + 3));
  TransportOptions transport{.depth = depth, .source = source};
  if (provider.has_value() && IsLocal(*provider)) {
    StatusOr<std::string> socket = SharedMemoryControlAddress(address);
    if (!socket.ok()) return socket.status();
    address = *socket;
  } else {
    StatusOr<HostPort> parsed = HostPort::Parse(address);
    if (!provider.has_value() || !parsed.ok()) {
      return Status::InvalidArgument(fmt::format("'{}' names no memory server; valid are {}",
                                                 Printable(std::string(url)), kServerSyntax));
    }
    transport.host = parsed->host;
  }
  server->provider_ = transport.provider = *provider;
  if (provider == Provider::kVerbs) {
    // Before the server is asked, which would not know why nobody connects.
    if (Status s = CheckVerbs(); !s.ok()) return s;
  }
  StatusOr<Credentials> credentials = Credentials::FromEnvironment();
  if (!credentials.ok()) return credentials.status();
  server->control_ = ControlClient::Make(address, *credentials);
  auto joined = server->control_->Join(NameOf(server->provider_), WhoWeAre());
  if (!joined.ok()) return joined.status();
  server->joined_ = std::move(*joined);
  transport.service = server->joined_.service;
  transport.note.epoch = server->joined_.id.epoch;
  transport.note.client = server->joined_.id.client;
  auto opened = Transport::Open(std::move(transport));
  if (!opened.ok()) return opened.status();
  server->transport_ = std::move(*opened);
  return server;
}

RemoteServer::~RemoteServer() {
  if (joined_.id.client != 0 && !lost()) (void)control_->Leave(joined_.id);
}

StatusOr<Extent> RemoteServer::Borrow(uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  // A server that is lost may have forgotten the slab that is open: asked again, it says so.
  if (lost() || open_.bytes - open_used_ < bytes) {
    if (Refuses(bytes)) return refusal_;
    Status status;
    if (lost() || unattached_.bytes < bytes) {
      auto lent = control_->Lend(joined_.id, bytes);
      status = Note(lent.status());
      if (lent.ok()) unattached_ = *lent;
    }
    LentMemory attached = unattached_;
    if (status.ok()) status = transport_->Attach(attached);
    if (!status.ok()) {
      refusal_ = status;
      refused_bytes_ = bytes;
      ask_again_ns_ = base::NowNs() + kAskAgainNs;
      silent_.store(refusal_.code() == StatusCode::kUnavailable, std::memory_order_relaxed);
      return refusal_;
    }
    refusal_ = Status::Ok();
    open_ = attached;
    unattached_ = {};
    open_used_ = 0;
  }
  const Extent extent{bytes, open_.key, open_.base + open_used_};
  open_used_ += bytes;
  return extent;
}

bool RemoteServer::Refuses(uint64_t bytes) const {
  if (refusal_.ok()) return false;
  if (lost() || silent()) return true;
  // Less may be lent where more was too much.
  return bytes >= refused_bytes_ && base::NowNs() < ask_again_ns_;
}

Status RemoteServer::Renew() {
  Status status = Note(control_->Renew(joined_.id));
  if (status.ok()) silent_.store(false, std::memory_order_relaxed);
  return status;
}

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
