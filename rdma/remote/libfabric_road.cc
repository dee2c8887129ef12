#include "rdma/remote/libfabric_road.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <ctime>
#include <set>
#include <utility>

#include "rdma/remote/descriptor.h"
#include "rdma/remote/random_number.h"
#include "rdma/remote/shared_memory_files.h"
#include "runtime/base/clock.h"

namespace tandem::rdma {

StatusOr<LentMemory> LibfabricSession::Lend(uint64_t bytes) {
  auto memory = ReserveLentMemory(bytes);
  if (!memory.ok()) return memory.status();
  fid_mr* region = nullptr;
  const int result = fi_mr_reg(domain_.get(), memory->data(), bytes,
                               FI_REMOTE_READ | FI_REMOTE_WRITE, 0, Key(), 0, &region, nullptr);
  if (result != 0) return OfiError("registering lent memory", result);
  const LentMemory lent{bytes, fi_mr_key(region), virtual_addresses_ ? memory->address() : 0};
  slabs_.push_back({std::move(*memory), FidPtr<fid_mr>(region)});
  return lent;
}

uint64_t LibfabricSession::Key() { return random_keys_ ? RandomNumber() : next_key_++; }

void LibfabricRoad::Drain(fid_cq& queue) {
  // One-sided transfers complete at the other end; here only errors and departures show up.
  fi_cq_entry entries[16];
  ssize_t n;
  while ((n = fi_cq_read(&queue, entries, std::size(entries))) > 0) {
  }
  if (n == -FI_EAVAIL) {
    fi_cq_err_entry error{};
    (void)fi_cq_readerr(&queue, &error, 0);
  }
}

StatusOr<std::unique_ptr<DataSession>> LibfabricRoad::OpenSession() {
  auto session = std::make_unique<LibfabricSession>();
  session->random_keys_ = ChoosesKeys(*info_);
  session->virtual_addresses_ = (info_->domain_attr->mr_mode & FI_MR_VIRT_ADDR) != 0;
  fid_domain* domain = nullptr;
  if (int r = fi_domain(fabric_.get(), info_.get(), &domain, nullptr); r != 0) {
    return OfiError("opening a domain", r);
  }
  session->domain_.reset(domain);
  fi_cq_attr attributes{};
  attributes.format = FI_CQ_FORMAT_CONTEXT;
  attributes.wait_obj = CanWait() ? FI_WAIT_FD : FI_WAIT_NONE;
  fid_cq* queue = nullptr;
  if (int r = fi_cq_open(domain, &attributes, &queue, nullptr); r != 0) {
    return OfiError("opening a completion queue", r);
  }
  session->queue_.reset(queue);
  Opened(*session);
  return std::unique_ptr<DataSession>(std::move(session));
}

StatusOr<FidPtr<fid_ep>> LibfabricRoad::MakeEndpoint(LibfabricSession& session, fi_info& info) {
  fid_ep* endpoint = nullptr;
  if (int r = fi_endpoint(session.domain_.get(), &info, &endpoint, nullptr); r != 0) {
    return OfiError("opening an endpoint", r);
  }
  FidPtr<fid_ep> owned(endpoint);
  if (int r = fi_ep_bind(endpoint, &session.queue_->fid, FI_TRANSMIT | FI_RECV); r != 0) {
    return OfiError("binding a completion queue", r);
  }
  return owned;
}

// Whether keys are ours to choose. Then nobody can guess them: endpoints without connections serve
// whoever has the key.
bool LibfabricRoad::ChoosesKeys(const fi_info& info) {
  return (info.domain_attr->mr_mode & FI_MR_PROV_KEY) == 0 &&
         info.domain_attr->mr_key_size == sizeof(uint64_t);
}

// --- Providers with connections ---

class MessageRoad final : public LibfabricRoad {
 public:
  MessageRoad(Admit admit, Log log) : admit_(std::move(admit)), log_(std::move(log)) {}

  Status Listen(Provider provider, const std::string& host) {
    auto info = GetInfo(provider, host.c_str(), "0", FI_SOURCE);
    if (!info.ok()) return info.status();
    info_ = std::move(*info);
    fid_fabric* fabric = nullptr;
    if (int r = Ofi().fabric(info_->fabric_attr, &fabric, nullptr); r != 0) {
      return OfiError("opening the fabric", r);
    }
    fabric_.reset(fabric);
    fi_eq_attr attributes{};
    attributes.wait_obj = FI_WAIT_FD;
    fid_eq* events = nullptr;
    if (int r = fi_eq_open(fabric, &attributes, &events, nullptr); r != 0) {
      return OfiError("opening an event queue", r);
    }
    events_.reset(events);
    if (int r = fi_control(&events->fid, FI_GETWAIT, &events_descriptor_); r != 0) {
      return OfiError("asking for a descriptor to wait on", r);
    }
    wakeup_ = Descriptor(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (wakeup_.get() < 0) return Status::ResourceExhausted("no descriptor is left");
    ListWaits();
    fid_pep* listener = nullptr;
    if (int r = fi_passive_ep(fabric, info_.get(), &listener, nullptr); r != 0) {
      return OfiError("opening a listener", r);
    }
    listener_.reset(listener);
    if (int r = fi_pep_bind(listener, &events->fid, 0); r != 0) return OfiError("binding", r);
    if (int r = fi_listen(listener); r != 0) return OfiError("listening", r);
    sockaddr_storage name{};
    size_t length = sizeof name;
    if (int r = fi_getname(&listener->fid, &name, &length); r != 0) {
      return OfiError("asking for the port", r);
    }
    port_ = ntohs(name.ss_family == AF_INET6 ? reinterpret_cast<sockaddr_in6&>(name).sin6_port
                                             : reinterpret_cast<sockaddr_in&>(name).sin_port);
    return Status::Ok();
  }

  std::string ServiceFor(const DataSession&) const override { return fmt::format("{}", port_); }

  StatusOr<std::string> OpenRoad(DataSession&, const RoadNumber&, const std::string&) override {
    return Status::InvalidArgument("this fabric's channels connect by themselves");
  }

  void CloseSession(std::unique_ptr<DataSession> closed) override {
    auto* const session = static_cast<LibfabricSession*>(closed.get());
    for (auto& [channel, place] : session->endpoints_) CloseEndpoint(place);
    std::erase(sessions_, session);
    ListWaits();
  }

  void Serve(int wait_ms) override {
    // libfabric 1.17 leaves the descriptor ready for good when a connection goes away in the middle
    // of being made. Then events are looked for in turns of a few milliseconds.
    const bool events_stuck = empty_wakeups_ > kMaxEmptyWakeups;
    waits_[1].fd = events_stuck ? -1 : events_descriptor_;
    // Looked at before it is taken: libfabric does not tell whether it has served anything.
    const bool came = wait_ms != 0 && poll(waits_.data(), waits_.size(), 0) > 0;
    for (LibfabricSession* session : sessions_) Drain(*session->queue_);
    const bool heard = ReadEvents();
    if (wait_ms == 0) return;
    if (heard) {
      empty_wakeups_ = 0;
    } else if (came && !events_stuck && waits_[1].revents != 0) {
      ++empty_wakeups_;
    }
    // The next request often follows at once, and a wake-up costs more than all else: look some
    // more before going to sleep.
    if (came) {
      uint64_t times = 0;
      if (waits_[0].revents != 0) (void)!read(waits_[0].fd, &times, sizeof times);
      active_until_ns_ = base::NowNs() + kLingerNs;
    } else if (base::NowNs() < active_until_ns_) {
      sched_yield();
    } else if (fi_trywait(fabric_.get(), fids_.data(), static_cast<int>(fids_.size())) == 0) {
      (void)poll(waits_.data(), waits_.size(), events_stuck ? std::min(wait_ms, 2) : wait_ms);
    }
  }

  void Wake() override {
    const uint64_t once = 1;
    (void)!write(waits_[0].fd, &once, sizeof once);
  }

 protected:
  bool CanWait() const override { return true; }
  void Opened(LibfabricSession& session) override {
    sessions_.push_back(&session);
    ListWaits();
  }

 private:
  static constexpr uint64_t kLingerNs = 50'000;
  // Handshakes wake without an event, too, but a few times only.
  static constexpr uint32_t kMaxEmptyWakeups = 1000;

  // Puts down what Serve waits for.
  void ListWaits() {
    waits_ = {{wakeup_.get(), POLLIN, 0}, {events_descriptor_, POLLIN, 0}};
    fids_.clear();
    for (LibfabricSession* session : sessions_) fids_.push_back(&session->queue_->fid);
    for (fid_t fid : fids_) {
      int descriptor = -1;
      if (fi_control(fid, FI_GETWAIT, &descriptor) == 0) waits_.push_back({descriptor, POLLIN, 0});
    }
  }

  // False if there were none.
  bool ReadEvents() {
    alignas(fi_eq_cm_entry) std::byte buffer[sizeof(fi_eq_cm_entry) + 256];
    uint32_t event = 0;
    const ssize_t n = fi_eq_read(events_.get(), &event, buffer, sizeof buffer, 0);
    if (n == -FI_EAVAIL) {
      fi_eq_err_entry error{};
      // A connection whose other end has gone before it was made is never heard of again.
      if (fi_eq_readerr(events_.get(), &error, 0) > 0) Forget(error.fid);
    } else if (n > 0 && event == FI_CONNREQ) {
      auto& request = *reinterpret_cast<fi_eq_cm_entry*>(buffer);
      const InfoPtr info(request.info);
      Answer(*info, request.data, static_cast<size_t>(n) - sizeof request);
    } else if (n > 0 && event == FI_SHUTDOWN) {
      Forget(reinterpret_cast<fi_eq_cm_entry*>(buffer)->fid);
    }
    return n != -FI_EAGAIN;
  }

  void Answer(fi_info& info, const uint8_t* data, size_t bytes) {
    ConnectNote note;
    LibfabricSession* session = nullptr;
    if (bytes >= sizeof note) {
      std::memcpy(&note, data, sizeof note);
      if (note.IsValid()) session = static_cast<LibfabricSession*>(admit_(note));
    }
    Status status = session == nullptr ? Status::NotPermitted("it is no client of this server")
                                       : Accept(*session, info, note);
    if (status.ok()) return;
    log_(status.message());
    (void)fi_reject(listener_.get(), info.handle, nullptr, 0);
  }

  Status Accept(LibfabricSession& session, fi_info& info, const ConnectNote& note) {
    if (note.channel >= kMaxChannels) {
      return Status::ResourceExhausted("the client has too many channels");
    }
    LibfabricSession::Endpoint& place = session.endpoints_[note.channel];
    if (note.generation <= place.generation) {
      return Status::InvalidArgument("a newer connection of that channel exists");
    }
    place.generation = note.generation;
    CloseEndpoint(place);  // before the new one is accepted: see the header
    auto endpoint = MakeEndpoint(session, info);
    if (!endpoint.ok()) return endpoint.status();
    if (int r = fi_ep_bind(endpoint->get(), &events_->fid, 0); r != 0) {
      return OfiError("binding an event queue", r);
    }
    if (int r = fi_enable(endpoint->get()); r != 0) return OfiError("enabling an endpoint", r);
    if (int r = fi_accept(endpoint->get(), nullptr, 0); r != 0) return OfiError("accepting", r);
    owners_[&endpoint->get()->fid] = {&session, note.channel};
    place.endpoint = std::move(*endpoint);
    return Status::Ok();
  }

  void CloseEndpoint(LibfabricSession::Endpoint& place) {
    if (place.endpoint == nullptr) return;
    owners_.erase(&place.endpoint->fid);
    place.endpoint.reset();
  }

  // The client's channel has closed its end. Events may be about endpoints that are closed already.
  void Forget(fid_t fid) {
    const auto owner = owners_.find(fid);
    if (owner == owners_.end()) return;
    const auto [session, channel] = owner->second;
    CloseEndpoint(session->endpoints_[channel]);
  }

  const Admit admit_;
  const Log log_;
  uint16_t port_ = 0;
  Descriptor wakeup_;
  std::vector<LibfabricSession*> sessions_;
  std::vector<pollfd> waits_;  // the first is wakeup_, the second events_
  int events_descriptor_ = -1;
  uint32_t empty_wakeups_ = 0;  // in a row
  std::vector<fid_t> fids_;
  uint64_t active_until_ns_ = 0;
  FidPtr<fid_eq> events_;
  FidPtr<fid_pep> listener_;
  std::map<fid_t, std::pair<LibfabricSession*, uint32_t>> owners_;  // of the open endpoints
};

// --- Reliable datagrams ---

// These providers have no connections that are ours to see, not all have a descriptor to wait on,
// and they keep what they know of a peer for as long as their endpoint lives. So each connection of
// a channel gets an endpoint of its own.
class DatagramRoad final : public LibfabricRoad {
 public:
  explicit DatagramRoad(Provider provider) : provider_(provider) {}

  Status Listen(const std::string& host) {
    const bool by_address = GoesByAddress(provider_);
    if (by_address && (host == "0.0.0.0" || host == "::")) {
      return Status::InvalidArgument(
          fmt::format("fabric {} needs one address to listen on, which its clients are told",
                      NameOf(provider_)));
    }
    auto info = by_address ? GetInfo(provider_, host.c_str(), "0", FI_SOURCE)
                           : GetInfo(provider_, nullptr, nullptr, 0);
    if (!info.ok()) return info.status();
    info_ = std::move(*info);
    if (by_address && !ChoosesKeys(*info_)) {
      return Status::Unavailable("this libfabric would have keys that anybody can guess");
    }
    fid_fabric* fabric = nullptr;
    if (int r = Ofi().fabric(info_->fabric_attr, &fabric, nullptr); r != 0) {
      return OfiError("opening the fabric", r);
    }
    fabric_.reset(fabric);
    return Status::Ok();
  }

  std::string ServiceFor(const DataSession&) const override { return {}; }

  StatusOr<std::string> OpenRoad(DataSession& opened, const RoadNumber& road,
                                 const std::string& peer) override {
    auto& session = static_cast<LibfabricSession&>(opened);
    if (road.channel >= kMaxChannels) {
      return Status::ResourceExhausted("the client has too many channels");
    }
    LibfabricSession::Endpoint& place = session.endpoints_[road.channel];
    if (road.generation <= place.generation) {
      return Status::InvalidArgument("a newer connection of that channel exists");
    }
    place.generation = road.generation;
    place.endpoint.reset();  // before the new one opens: see the header
    place.addresses.reset();
    sessions_.insert(&session);
    fi_av_attr attributes{};
    attributes.type = FI_AV_TABLE;
    fid_av* addresses = nullptr;
    if (int r = fi_av_open(session.domain_.get(), &attributes, &addresses, nullptr); r != 0) {
      return OfiError("opening an address vector", r);
    }
    FidPtr<fid_av> owned(addresses);
    if (Status s = Insert(*addresses, peer); !s.ok()) return s;
    auto endpoint = MakeEndpoint(session, *info_);
    if (!endpoint.ok()) return endpoint.status();
    if (int r = fi_ep_bind(endpoint->get(), &addresses->fid, 0); r != 0) {
      return OfiError("binding an address vector", r);
    }
    if (int r = fi_enable(endpoint->get()); r != 0) return OfiError("enabling an endpoint", r);
    auto address = AddressOf(**endpoint);
    if (!address.ok()) return address;
    place.addresses = std::move(owned);
    place.endpoint = std::move(*endpoint);
    return address;
  }

  void CloseSession(std::unique_ptr<DataSession> session) override {
    sessions_.erase(static_cast<LibfabricSession*>(session.get()));
  }

  void Serve(int wait_ms) override {
    for (LibfabricSession* session : sessions_) Drain(*session->queue_);
    if (wait_ms == 0 || woken_.exchange(false)) return;
    // Nothing tells of a request but looking. While there are clients, the processor is given up
    // often, but not for long.
    if (sessions_.empty()) {
      timespec nap{0, 1'000'000};
      nanosleep(&nap, nullptr);
    } else {
      sched_yield();
    }
  }

  void Wake() override { woken_.store(true); }

 private:
  // Of shared memory, inserting a peer's address maps its memory, while the client waits for our
  // answer and so has not taken it away yet. libfabric 1.17 would else map it at the client's first
  // request, and does not survive that it is gone by then: the client was killed, or has cancelled
  // the request.
  Status Insert(fid_av& addresses, const std::string& peer) const {
    std::string name;
    if (provider_ == Provider::kShmOfi) {
      StatusOr<std::string> bytes = DecodeAddress(peer);
      if (!bytes.ok()) return bytes.status();
      name = SharedMemoryName(bytes->c_str());
      if (name.empty()) {
        return Status::InvalidArgument(
            fmt::format("'{}' is no endpoint of shared memory", Printable(bytes->c_str())));
      }
    }
    const auto inserted = InsertAddress(addresses, peer);
    if (!inserted.ok()) return inserted.status();
    // libfabric accepts the address of memory that is not there. What is there now was there then.
    if (!name.empty() &&
        access(fmt::format("{}/{}", kSharedMemoryFolder, name).c_str(), F_OK) != 0) {
      return Status::Unavailable("the channel's shared memory is gone");
    }
    return Status::Ok();
  }

  const Provider provider_;
  std::set<LibfabricSession*> sessions_;  // those with endpoints
  std::atomic<bool> woken_{false};
};

StatusOr<std::unique_ptr<DataRoad>> OpenLibfabricRoad(Provider provider, const std::string& host,
                                                      DataRoad::Admit admit, DataRoad::Log log) {
  if (!HasConnections(provider)) {
    auto road = std::make_unique<DatagramRoad>(provider);
    if (Status s = road->Listen(host); !s.ok()) return s;
    return std::unique_ptr<DataRoad>(std::move(road));
  }
  auto road = std::make_unique<MessageRoad>(std::move(admit), std::move(log));
  if (Status s = road->Listen(provider, host); !s.ok()) return s;
  return std::unique_ptr<DataRoad>(std::move(road));
}

}  // namespace tandem::rdma
