// LibfabricTransport: the way to a memory server through one of libfabric's providers.
#pragma once

#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "rdma/remote/ofi.h"
#include "rdma/remote/transport.h"

namespace tandem::rdma {

class LibfabricTransport final : public Transport {
 public:
  static StatusOr<std::unique_ptr<Transport>> Open(TransportOptions options);

  Status Register(void* start, size_t bytes) override;
  StatusOr<std::unique_ptr<Connection>> Connect(RoadNumber road, const Ask& ask) override;

  // For its connections.
  const TransportOptions& options() const { return options_; }
  fid_fabric* fabric() const { return fabric_.get(); }
  fi_info* info() const { return info_.get(); }
  // That of the registered buffers, if the provider wants them registered; else null, and each
  // connection has a domain of its own.
  fid_domain* domain() const { return domain_.get(); }

 private:
  explicit LibfabricTransport(TransportOptions options) : options_(std::move(options)) {}

  const TransportOptions options_;
  InfoPtr info_;
  FidPtr<fid_fabric> fabric_;
  FidPtr<fid_domain> domain_;
  std::vector<FidPtr<fid_mr>> regions_;
};

class LibfabricConnection final : public Connection {
 public:
  static StatusOr<std::unique_ptr<Connection>> Start(LibfabricTransport& transport, RoadNumber road,
                                                     const Transport::Ask& ask);

  State Check() override;
  Posted Post(const Transfer& transfer, const Extent& extent, void* context) override;
  Report Poll(std::span<void*> done) override;
  void Close() override { endpoint_.reset(); }

 private:
  explicit LibfabricConnection(LibfabricTransport& transport) : transport_(transport) {}
  // What the provider wants to know of a local buffer.
  void* DescriptorOf(const Transfer& transfer) const;

  LibfabricTransport& transport_;
  fi_addr_t peer_ = FI_ADDR_UNSPEC;
  FidPtr<fid_domain> domain_;  // null if the transport has one
  FidPtr<fid_cq> queue_;
  FidPtr<fid_eq> events_;
  FidPtr<fid_av> addresses_;
  FidPtr<fid_ep> endpoint_;
};

}  // namespace tandem::rdma
