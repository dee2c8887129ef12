#include "rdma/remote/connection.h"

#include <utility>

namespace tandem::rdma {

StatusOr<std::unique_ptr<Connection>> Connection::Start(RemoteServer& server, RoadNumber road) {
  std::unique_ptr<Connection> made(new Connection);
  fid_domain* domain = nullptr;
  if (int r = fi_domain(server.fabric(), server.info(), &domain, nullptr); r != 0) {
    return OfiError("opening a domain", r);
  }
  made->domain_.reset(domain);
  fi_cq_attr cq_attributes{};
  cq_attributes.format = FI_CQ_FORMAT_CONTEXT;
  cq_attributes.wait_obj = FI_WAIT_NONE;
  fid_cq* queue = nullptr;
  if (int r = fi_cq_open(domain, &cq_attributes, &queue, nullptr); r != 0) {
    return OfiError("opening a completion queue", r);
  }
  made->queue_.reset(queue);
  fid_ep* endpoint = nullptr;
  if (int r = fi_endpoint(domain, server.info(), &endpoint, nullptr); r != 0) {
    return OfiError("opening an endpoint", r);
  }
  made->endpoint_.reset(endpoint);
  if (int r = fi_ep_bind(endpoint, &queue->fid, FI_TRANSMIT | FI_RECV); r != 0) {
    return OfiError("binding a completion queue", r);
  }
  if (server.provider() == Provider::kShm) {
    fi_av_attr attributes{};
    attributes.type = FI_AV_TABLE;
    fid_av* addresses = nullptr;
    if (int r = fi_av_open(domain, &attributes, &addresses, nullptr); r != 0) {
      return OfiError("opening an address vector", r);
    }
    // Closed after the endpoint, which is bound to it.
    made->addresses_.reset(addresses);
    if (int r = fi_ep_bind(endpoint, &addresses->fid, 0); r != 0) {
      return OfiError("binding an address vector", r);
    }
    if (int r = fi_enable(endpoint); r != 0) return OfiError("enabling an endpoint", r);
    char name[256] = {};
    size_t length = sizeof name - 1;
    if (int r = fi_getname(&endpoint->fid, name, &length); r != 0) {
      return OfiError("asking for the endpoint's name", r);
    }
    StatusOr<std::string> address = server.OpenRoad(road, name);
    if (!address.ok()) return address.status();
    if (fi_av_insert(addresses, address->c_str(), 1, &made->peer_, 0, nullptr) != 1) {
      return Status::Unavailable("libfabric does not accept the server's address");
    }
    return made;
  }
  fi_eq_attr eq_attributes{};
  eq_attributes.wait_obj = FI_WAIT_NONE;
  fid_eq* events = nullptr;
  if (int r = fi_eq_open(server.fabric(), &eq_attributes, &events, nullptr); r != 0) {
    return OfiError("opening an event queue", r);
  }
  made->events_.reset(events);
  if (int r = fi_ep_bind(endpoint, &events->fid, 0); r != 0) {
    return OfiError("binding an event queue", r);
  }
  if (int r = fi_enable(endpoint); r != 0) return OfiError("enabling an endpoint", r);
  ConnectNote note;
  note.epoch = server.joined().id.epoch;
  note.client = server.joined().id.client;
  note.channel = road.channel;
  note.generation = road.generation;
  if (int r = fi_connect(endpoint, server.info()->dest_addr, &note, sizeof note); r != 0) {
    return OfiError("connecting", r);
  }
  return made;
}

Connection::State Connection::Check() {
  if (events_ == nullptr) return State::kReady;  // no connections: the first transfer finds out
  alignas(fi_eq_cm_entry) std::byte buffer[sizeof(fi_eq_cm_entry) + 256];
  uint32_t event = 0;
  const ssize_t n = fi_eq_read(events_.get(), &event, buffer, sizeof buffer, 0);
  if (n == -FI_EAGAIN) return State::kConnecting;
  return n > 0 && event == FI_CONNECTED ? State::kReady : State::kFailed;
}

fi_cq_err_entry Connection::TakeError() {
  fi_cq_err_entry error{};
  (void)fi_cq_readerr(queue_.get(), &error, 0);
  return error;
}

}  // namespace tandem::rdma
