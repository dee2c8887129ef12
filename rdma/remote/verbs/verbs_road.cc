#include "rdma/remote/verbs/verbs_road.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netdb.h>
#include <poll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>
#include <utility>
#include <vector>

#include "rdma/remote/descriptor.h"
#include "rdma/remote/verbs/library.h"

namespace tandem::rdma {

namespace {

constexpr int kBacklog = 64;

// What one client may reach. Declared in the order of making.
struct Session final : DataSession {
  StatusOr<LentMemory> Lend(uint64_t bytes) override {
    auto memory = ReserveLentMemory(bytes);
    if (!memory.ok()) return memory.status();
    const int access = IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_READ | IBV_ACCESS_REMOTE_WRITE;
    VerbsPtr<ibv_mr> region(Verbs().reg_mr(domain.get(), memory->data(), bytes, access));
    if (region == nullptr) return VerbsError("registering lent memory", errno);
    const LentMemory lent{bytes, region->rkey, memory->address()};
    slabs.push_back({std::move(*memory), std::move(region)});
    return lent;
  }

  struct Slab {
    base::OsMemory memory;
    VerbsPtr<ibv_mr> region;
  };
  struct Endpoint {
    uint32_t generation = 0;
    VerbsPtr<rdma_cm_id> id;
  };

  VerbsPtr<ibv_pd> domain;
  VerbsPtr<ibv_cq> queue;  // nothing ever completes here, but queue pairs must have one
  std::vector<Slab> slabs;
  std::map<uint32_t, Endpoint> endpoints;  // by channel
};

class Road final : public VerbsRoad {
 public:
  Road(Admit admit, Log log) : admit_(std::move(admit)), log_(std::move(log)) {}

  Status Listen(const std::string& host) {
    if (Status s = CheckVerbs(); !s.ok()) return s;
    wakeup_ = Descriptor(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (wakeup_.get() < 0) return Status::ResourceExhausted("no descriptor is left");
    auto events = OpenEventChannel();
    if (!events.ok()) return events.status();
    events_ = std::move(*events);
    auto listener = MakeConnectionId(*events_);
    if (!listener.ok()) return listener.status();
    listener_ = std::move(*listener);
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_PASSIVE;
    addrinfo* found = nullptr;
    if (int r = getaddrinfo(host.c_str(), nullptr, &hints, &found); r != 0) {
      return Status::InvalidArgument(
          fmt::format("'{}' is no address to listen on: {}", Printable(host), gai_strerror(r)));
    }
    const int bound = RdmaCm().bind_addr(listener_.get(), found->ai_addr);
    const int error = errno;
    freeaddrinfo(found);
    if (bound != 0) return VerbsError(fmt::format("listening on {}", host).c_str(), error);
    // Memory is lent before anybody connects, so one device must be meant.
    if (listener_->verbs == nullptr) {
      return Status::InvalidArgument(
          fmt::format("fabric verbs needs the address of one RDMA device to listen on, not {}; "
                      "`tandem fabrics` lists them",
                      host));
    }
    ibv_device_attr limits{};
    if (int r = Verbs().query_device(listener_->verbs, &limits); r != 0) {
      return VerbsError("asking the device for its limits", r);
    }
    max_reads_ = std::clamp(limits.max_qp_rd_atom, 1, 255);
    if (RdmaCm().listen(listener_.get(), kBacklog) != 0) return VerbsError("listening", errno);
    port_ = ntohs(RdmaCm().get_src_port(listener_.get()));
    return Status::Ok();
  }

  std::string ServiceFor(const DataSession&) const override { return fmt::format("{}", port_); }

  StatusOr<std::unique_ptr<DataSession>> OpenSession() override {
    auto session = std::make_unique<Session>();
    session->domain.reset(Verbs().alloc_pd(listener_->verbs));
    if (session->domain == nullptr) return VerbsError("making a protection domain", errno);
    session->queue.reset(Verbs().create_cq(listener_->verbs, 16, nullptr, nullptr, 0));
    if (session->queue == nullptr) return VerbsError("making a completion queue", errno);
    return std::unique_ptr<DataSession>(std::move(session));
  }

  void CloseSession(std::unique_ptr<DataSession> closed) override {
    auto& session = static_cast<Session&>(*closed);
    for (auto& [channel, endpoint] : session.endpoints) CloseEndpoint(endpoint);
  }

  StatusOr<std::string> OpenRoad(DataSession&, const RoadNumber&, const std::string&) override {
    return Status::InvalidArgument("this fabric's channels connect by themselves");
  }

  void Serve(int wait_ms) override {
    pollfd waits[] = {{wakeup_.get(), POLLIN, 0}, {events_->fd, POLLIN, 0}};
    (void)poll(waits, 2, wait_ms);
    uint64_t times = 0;
    if (waits[0].revents != 0) (void)!read(waits[0].fd, &times, sizeof times);
    rdma_cm_event* event = nullptr;
    while (RdmaCm().get_cm_event(events_.get(), &event) == 0) Take(*event);
  }

  void Wake() override {
    const uint64_t once = 1;
    (void)!write(wakeup_.get(), &once, sizeof once);
  }

 private:
  void Take(rdma_cm_event& event) {
    const rdma_cm_event_type type = event.event;
    rdma_cm_id* const id = event.id;
    if (type == RDMA_CM_EVENT_CONNECT_REQUEST) {
      ConnectNote note;
      const bool whole = event.param.conn.private_data_len >= sizeof note;
      if (whole) std::memcpy(&note, event.param.conn.private_data, sizeof note);
      const uint8_t reads = event.param.conn.responder_resources;
      (void)RdmaCm().ack_cm_event(&event);
      Answer(VerbsPtr<rdma_cm_id>(id), whole ? &note : nullptr, reads);
      return;
    }
    (void)RdmaCm().ack_cm_event(&event);
    // Those of a listener, and of the connection's being made, ask for nothing.
    if (type == RDMA_CM_EVENT_DISCONNECTED || type == RDMA_CM_EVENT_CONNECT_ERROR ||
        type == RDMA_CM_EVENT_UNREACHABLE || type == RDMA_CM_EVENT_REJECTED ||
        type == RDMA_CM_EVENT_DEVICE_REMOVAL) {
      Forget(id);
    }
  }

  void Answer(VerbsPtr<rdma_cm_id> id, const ConnectNote* note, uint8_t reads) {
    Session* session = nullptr;
    if (note != nullptr && note->IsValid()) session = static_cast<Session*>(admit_(*note));
    rdma_cm_id* const raw = id.get();
    const Status status = session == nullptr
                              ? Status::NotPermitted("it is no client of this server")
                              : Accept(*session, *note, std::move(id), reads);
    if (status.ok()) return;
    log_(status.message());
    // Accept leaves it alone unless it succeeds.
    (void)RdmaCm().reject(raw, nullptr, 0);
  }

  Status Accept(Session& session, const ConnectNote& note, VerbsPtr<rdma_cm_id>&& id,
                uint8_t reads) {
    if (id->verbs != listener_->verbs) {
      return Status::InvalidArgument("it came through another RDMA device");
    }
    if (note.channel >= kMaxChannels) {
      return Status::ResourceExhausted("the client has too many channels");
    }
    Session::Endpoint& place = session.endpoints[note.channel];
    if (note.generation <= place.generation) {
      return Status::InvalidArgument("a newer connection of that channel exists");
    }
    place.generation = note.generation;
    CloseEndpoint(place);  // before the new one is accepted: see data_road.h
    ibv_qp_init_attr attributes{};
    attributes.send_cq = session.queue.get();
    attributes.recv_cq = session.queue.get();
    attributes.qp_type = IBV_QPT_RC;
    attributes.cap.max_send_wr = 1;
    attributes.cap.max_recv_wr = 1;
    attributes.cap.max_send_sge = 1;
    attributes.cap.max_recv_sge = 1;
    if (RdmaCm().create_qp(id.get(), session.domain.get(), &attributes) != 0) {
      return VerbsError("making a queue pair", errno);
    }
    rdma_conn_param parameters{};
    parameters.responder_resources = static_cast<uint8_t>(std::min<int>(reads, max_reads_));
    parameters.rnr_retry_count = 6;
    if (RdmaCm().accept(id.get(), &parameters) != 0) return VerbsError("accepting", errno);
    owners_[id.get()] = {&session, note.channel};
    place.id = std::move(id);
    return Status::Ok();
  }

  void CloseEndpoint(Session::Endpoint& place) {
    if (place.id == nullptr) return;
    owners_.erase(place.id.get());
    (void)RdmaCm().disconnect(place.id.get());
    place.id.reset();
  }

  // The client's channel has closed its end.
  void Forget(rdma_cm_id* id) {
    const auto owner = owners_.find(id);
    if (owner == owners_.end()) return;
    const auto [session, channel] = owner->second;
    CloseEndpoint(session->endpoints[channel]);
  }

  const Admit admit_;
  const Log log_;
  Descriptor wakeup_;
  uint16_t port_ = 0;
  int max_reads_ = 1;
  VerbsPtr<rdma_event_channel> events_;
  VerbsPtr<rdma_cm_id> listener_;
  std::map<rdma_cm_id*, std::pair<Session*, uint32_t>> owners_;  // of the open endpoints
};

}  // namespace

StatusOr<std::unique_ptr<DataRoad>> VerbsRoad::Open(const std::string& host, Admit admit, Log log) {
  auto road = std::make_unique<Road>(std::move(admit), std::move(log));
  if (Status s = road->Listen(host); !s.ok()) return s;
  return std::unique_ptr<DataRoad>(std::move(road));
}

}  // namespace tandem::rdma
