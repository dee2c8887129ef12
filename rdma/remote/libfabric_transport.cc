#include "rdma/remote/libfabric_transport.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "rdma/remote/verbs/library.h"

namespace tandem::rdma {

StatusOr<std::unique_ptr<Transport>> LibfabricTransport::Open(TransportOptions options) {
  std::unique_ptr<LibfabricTransport> made(new LibfabricTransport(std::move(options)));
  const TransportOptions& o = made->options_;
  auto info = GetInfo(o.provider, GoesByAddress(o.provider) ? o.host.c_str() : nullptr,
                      HasConnections(o.provider) ? o.service.c_str() : nullptr, 0);
  if (!info.ok()) return info.status();
  made->info_ = std::move(*info);
  fid_fabric* fabric = nullptr;
  if (int r = Ofi().fabric(made->info_->fabric_attr, &fabric, nullptr); r != 0) {
    return OfiError("opening the fabric", r);
  }
  made->fabric_.reset(fabric);
  if ((made->info_->domain_attr->mr_mode & FI_MR_LOCAL) != 0) {
    fid_domain* domain = nullptr;
    if (int r = fi_domain(fabric, made->info_.get(), &domain, nullptr); r != 0) {
      return OfiError("opening a domain", r);
    }
    made->domain_.reset(domain);
  }
  return std::unique_ptr<Transport>(std::move(made));
}

Status LibfabricTransport::Register(void* start, size_t bytes) {
  void* descriptor = nullptr;
  if (domain_ != nullptr) {
    fid_mr* region = nullptr;
    if (int r = fi_mr_reg(domain_.get(), start, bytes, FI_READ | FI_WRITE, 0, regions_.size() + 1,
                          0, &region, nullptr);
        r != 0) {
      return OfiError("registering a buffer", r);
    }
    regions_.emplace_back(region);
    descriptor = fi_mr_desc(region);
  }
  buffers_.Add({reinterpret_cast<uintptr_t>(start), bytes, descriptor});
  return Status::Ok();
}

StatusOr<std::unique_ptr<Connection>> LibfabricTransport::Connect(RoadNumber road, const Ask& ask) {
  return LibfabricConnection::Start(*this, road, ask);
}

StatusOr<std::unique_ptr<Connection>> LibfabricConnection::Start(LibfabricTransport& transport,
                                                                 RoadNumber road,
                                                                 const Transport::Ask& ask) {
  std::unique_ptr<LibfabricConnection> made(new LibfabricConnection(transport));
  fi_info* const info = transport.info();
  fid_domain* domain = transport.domain();
  if (domain == nullptr) {
    if (int r = fi_domain(transport.fabric(), info, &domain, nullptr); r != 0) {
      return OfiError("opening a domain", r);
    }
    made->domain_.reset(domain);
  }
  fi_cq_attr cq_attributes{};
  cq_attributes.format = FI_CQ_FORMAT_CONTEXT;
  cq_attributes.wait_obj = FI_WAIT_NONE;
  fid_cq* queue = nullptr;
  if (int r = fi_cq_open(domain, &cq_attributes, &queue, nullptr); r != 0) {
    return OfiError("opening a completion queue", r);
  }
  made->queue_.reset(queue);
  fid_ep* endpoint = nullptr;
  if (int r = fi_endpoint(domain, info, &endpoint, nullptr); r != 0) {
    return OfiError("opening an endpoint", r);
  }
  made->endpoint_.reset(endpoint);
  if (int r = fi_ep_bind(endpoint, &queue->fid, FI_TRANSMIT | FI_RECV); r != 0) {
    return OfiError("binding a completion queue", r);
  }
  if (!HasConnections(transport.options().provider)) {
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
    StatusOr<std::string> address = AddressOf(*endpoint);
    if (address.ok()) address = ask(*address);
    if (!address.ok()) return address.status();
    StatusOr<fi_addr_t> peer = InsertAddress(*addresses, *address);
    if (!peer.ok()) return peer.status();
    made->peer_ = *peer;
    return std::unique_ptr<Connection>(std::move(made));
  }
  fi_eq_attr eq_attributes{};
  eq_attributes.wait_obj = FI_WAIT_NONE;
  fid_eq* events = nullptr;
  if (int r = fi_eq_open(transport.fabric(), &eq_attributes, &events, nullptr); r != 0) {
    return OfiError("opening an event queue", r);
  }
  made->events_.reset(events);
  if (int r = fi_ep_bind(endpoint, &events->fid, 0); r != 0) {
    return OfiError("binding an event queue", r);
  }
  if (int r = fi_enable(endpoint); r != 0) return OfiError("enabling an endpoint", r);
  ConnectNote note = transport.options().note;
  note.channel = road.channel;
  note.generation = road.generation;
  if (int r = fi_connect(endpoint, info->dest_addr, &note, sizeof note); r != 0) {
    return OfiError("connecting", r);
  }
  return std::unique_ptr<Connection>(std::move(made));
}

Connection::State LibfabricConnection::Check() {
  if (events_ == nullptr) return State::kReady;  // no connections: the first transfer finds out
  alignas(fi_eq_cm_entry) std::byte buffer[sizeof(fi_eq_cm_entry) + 256];
  uint32_t event = 0;
  const ssize_t n = fi_eq_read(events_.get(), &event, buffer, sizeof buffer, 0);
  if (n == -FI_EAGAIN) return State::kConnecting;
  return n > 0 && event == FI_CONNECTED ? State::kReady : State::kFailed;
}

void* LibfabricConnection::DescriptorOf(const Transfer& transfer) const {
  if (transport_.domain() == nullptr) return nullptr;
  const BufferTable::Buffer* buffer = transport_.buffers().Find(transfer.local, transfer.bytes);
  return buffer == nullptr ? nullptr : buffer->descriptor;
}

Connection::Posted LibfabricConnection::Post(const Transfer& t, const Extent& extent,
                                             void* context) {
  const uint64_t address = extent.base + t.far.offset_bytes;
  void* descriptor = DescriptorOf(t);
  ssize_t result = 0;
  if (t.direction == Direction::kRead) {
    result =
        fi_read(endpoint_.get(), t.local, t.bytes, descriptor, peer_, address, extent.key, context);
  } else {
    // Not fi_write: with it libfabric's tcp does not look at the endpoint's flags, and calls a
    // write done that is in a socket's buffer.
    const iovec local{t.local, t.bytes};
    const fi_rma_iov remote{address, t.bytes, extent.key};
    const fi_msg_rma message{&local, &descriptor, 1, peer_, &remote, 1, context, 0};
    result = fi_writemsg(endpoint_.get(), &message,
                         transport_.info()->tx_attr->op_flags | FI_COMPLETION);
  }
  if (result == 0) return Posted::kYes;
  return result == -FI_EAGAIN ? Posted::kFull : Posted::kBroken;
}

Connection::Report LibfabricConnection::Poll(std::span<void*> done) {
  fi_cq_entry entries[16];
  const ssize_t n = fi_cq_read(queue_.get(), entries, std::min(done.size(), std::size(entries)));
  if (n == -FI_EAGAIN) return {};
  if (n < 0) {
    Report report{.broken = true};
    if (n == -FI_EAVAIL) {
      // Only the first error tells a cause; all others follow from it.
      fi_cq_err_entry error{};
      (void)fi_cq_readerr(queue_.get(), &error, 0);
      bool refused =
          error.err == FI_EACCES || error.err == FI_EPERM || error.err == FI_EKEYREJECTED;
      if (transport_.options().provider == Provider::kVerbsOfi) {
        // The device's own words; libfabric makes one error of all of them.
        const auto status = static_cast<ibv_wc_status>(error.prov_errno);
        refused = status == IBV_WC_REM_ACCESS_ERR;
        trouble_ = TroubleOf(status);
      }
      if (refused) report.refused = error.op_context;
    }
    return report;
  }
  for (ssize_t i = 0; i < n; ++i) done[i] = entries[i].op_context;
  return {.done = static_cast<size_t>(n), .more = static_cast<size_t>(n) == done.size()};
}

}  // namespace tandem::rdma
