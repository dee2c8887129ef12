// VerbsTransport: the way to a memory server through an RDMA device of this machine.
//
// The connection manager finds the device, its port and its GID by the server's address, or by
// this machine's where TransportOptions::source names one. All connections use that device and one
// protection domain, in which buffers are registered, and so pinned.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "rdma/remote/transport.h"
#include "rdma/remote/verbs/library.h"

namespace tandem::rdma {

class VerbsTransport final : public Transport {
 public:
  static StatusOr<std::unique_ptr<Transport>> Open(TransportOptions options);

  Status Register(void* start, size_t bytes) override;
  StatusOr<std::unique_ptr<Connection>> Connect(RoadNumber road, const Ask& ask) override;

  // For its connections.
  const ConnectNote& note() const { return options_.note; }
  ibv_context* device() const { return probe_->verbs; }
  ibv_pd* domain() const { return domain_.get(); }
  uint32_t depth() const { return depth_; }
  // Reads that this device can have outstanding on a connection.
  uint8_t max_reads() const { return max_reads_; }
  // Begins to look for the way from `id` to the server.
  Status Resolve(rdma_cm_id& id) const;

 private:
  struct Address {
    sockaddr_storage storage{};
    bool given = false;
    sockaddr* get() { return given ? reinterpret_cast<sockaddr*>(&storage) : nullptr; }
  };
  static StatusOr<Address> Look(const std::string& host, const std::string& service);

  explicit VerbsTransport(TransportOptions options) : options_(std::move(options)) {}
  Status FindDevice();

  const TransportOptions options_;
  Address server_;
  Address source_;
  uint32_t depth_ = 0;
  uint8_t max_reads_ = 0;
  VerbsPtr<rdma_event_channel> events_;
  VerbsPtr<rdma_cm_id> probe_;  // bound to the device, which it keeps open; never connected
  VerbsPtr<ibv_pd> domain_;
  std::vector<VerbsPtr<ibv_mr>> regions_;
};

}  // namespace tandem::rdma
