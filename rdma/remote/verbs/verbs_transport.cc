#include "rdma/remote/verbs/verbs_transport.h"

#include <fmt/format.h>
#include <netdb.h>
#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "rdma/remote/verbs/verbs_connection.h"

namespace tandem::rdma {

namespace {

constexpr int kResolveMs = 2000;

}  // namespace

StatusOr<std::unique_ptr<Transport>> VerbsTransport::Open(TransportOptions options) {
  std::unique_ptr<VerbsTransport> made(new VerbsTransport(std::move(options)));
  if (Status s = CheckVerbs(); !s.ok()) return s;
  StatusOr<Address> server = Look(made->options_.host, made->options_.service);
  if (!server.ok()) return server.status();
  made->server_ = *server;
  if (!made->options_.source.empty()) {
    StatusOr<Address> source = Look(made->options_.source, "");
    if (!source.ok()) return source.status();
    made->source_ = *source;
  }
  if (Status s = made->FindDevice(); !s.ok()) return s;
  return std::unique_ptr<Transport>(std::move(made));
}

StatusOr<VerbsTransport::Address> VerbsTransport::Look(const std::string& host,
                                                       const std::string& service) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int r =
      getaddrinfo(host.c_str(), service.empty() ? nullptr : service.c_str(), &hints, &found);
  if (r != 0) {
    return Status::InvalidArgument(
        fmt::format("verbs: no address for '{}': {}", Printable(host), gai_strerror(r)));
  }
  Address address;
  std::memcpy(&address.storage, found->ai_addr, found->ai_addrlen);
  address.given = true;
  freeaddrinfo(found);
  return address;
}

Status VerbsTransport::Resolve(rdma_cm_id& id) const {
  // The connection manager writes to neither.
  Address source = source_;
  Address server = server_;
  if (RdmaCm().resolve_addr(&id, source.get(), server.get(), kResolveMs) == 0) return Status::Ok();
  return VerbsError("looking for the way to the server", errno);
}

Status VerbsTransport::FindDevice() {
  auto events = OpenEventChannel();
  if (!events.ok()) return events.status();
  events_ = std::move(*events);
  auto probe = MakeConnectionId(*events_);
  if (!probe.ok()) return probe.status();
  probe_ = std::move(*probe);
  if (Status s = Resolve(*probe_); !s.ok()) return s;
  pollfd wait{events_->fd, POLLIN, 0};
  (void)poll(&wait, 1, 2 * kResolveMs);
  rdma_cm_event* event = nullptr;
  if (RdmaCm().get_cm_event(events_.get(), &event) != 0) {
    return VerbsError("looking for the way to the server", errno == EAGAIN ? ETIMEDOUT : errno);
  }
  const rdma_cm_event_type type = event->event;
  const int status = event->status;
  (void)RdmaCm().ack_cm_event(event);
  if (type != RDMA_CM_EVENT_ADDR_RESOLVED || device() == nullptr) {
    return Status::Unavailable(
        fmt::format("verbs: {}: {}", Printable(options_.host), TroubleOf(type, status)));
  }
  ibv_device_attr limits{};
  if (int r = Verbs().query_device(device(), &limits); r != 0) {
    return VerbsError("asking the device for its limits", r);
  }
  max_reads_ = static_cast<uint8_t>(std::clamp(limits.max_qp_init_rd_atom, 1, 255));
  depth_ = static_cast<uint32_t>(std::min<uint64_t>(
      options_.depth,
      static_cast<uint64_t>(std::max(std::min(limits.max_qp_wr, limits.max_cqe - 1), 1))));
  domain_.reset(Verbs().alloc_pd(device()));
  if (domain_ == nullptr) return VerbsError("making a protection domain", errno);
  return Status::Ok();
}

Status VerbsTransport::Register(void* start, size_t bytes) {
  int access = IBV_ACCESS_LOCAL_WRITE;
  // On iWARP the answer to a read is a write from the other side, named by the buffer's key.
  if (device()->device->transport_type == IBV_TRANSPORT_IWARP) access |= IBV_ACCESS_REMOTE_WRITE;
  ibv_mr* const region = Verbs().reg_mr(domain_.get(), start, bytes, access);
  if (region == nullptr) return VerbsError("registering a buffer", errno);
  regions_.emplace_back(region);
  buffers_.Add({reinterpret_cast<uintptr_t>(start), bytes, region});
  return Status::Ok();
}

StatusOr<std::unique_ptr<Connection>> VerbsTransport::Connect(RoadNumber road, const Ask&) {
  return VerbsConnection::Start(*this, road);
}

}  // namespace tandem::rdma
