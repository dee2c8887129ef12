// Connection: one channel's endpoint towards one memory server, with a domain and a completion
// queue of its own, so that channels share no lock and nobody else's call moves its bytes.
//
// Begins connecting when it is made. Used by one thread at a time: who makes it, then the channel.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "rdma/channel.h"
#include "rdma/remote/ofi.h"
#include "rdma/remote/remote_server.h"

namespace tandem::rdma {

class Connection {
 public:
  enum class State : uint8_t { kConnecting, kReady, kFailed };

  static StatusOr<std::unique_ptr<Connection>> Start(RemoteServer& server, RoadNumber road);

  // Goes on connecting; does not wait. Once it has said kReady it must not be called any more.
  State Check();

  // Posts one transfer. 0, or libfabric's error: -FI_EAGAIN asks to poll and to try again.
  ssize_t Post(Direction direction, const Extent& extent, uint64_t offset_bytes, void* local,
               uint32_t bytes, void* context) {
    return direction == Direction::kRead
               ? fi_read(endpoint_.get(), local, bytes, nullptr, peer_, extent.base + offset_bytes,
                         extent.key, context)
               : fi_write(endpoint_.get(), local, bytes, nullptr, peer_, extent.base + offset_bytes,
                          extent.key, context);
  }

  // The contexts of what has completed; -FI_EAGAIN if nothing has; other errors end the connection.
  ssize_t Poll(std::span<fi_cq_entry> done) {
    return fi_cq_read(queue_.get(), done.data(), done.size());
  }
  fi_cq_err_entry TakeError();

  // Discards all that is in flight: nothing is read into or written from a buffer of ours after
  // this returns. Nothing else may be called then.
  void Close() { endpoint_.reset(); }

 private:
  Connection() = default;

  fi_addr_t peer_ = FI_ADDR_UNSPEC;
  FidPtr<fid_domain> domain_;
  FidPtr<fid_cq> queue_;
  FidPtr<fid_eq> events_;
  FidPtr<fid_av> addresses_;
  FidPtr<fid_ep> endpoint_;
};

}  // namespace tandem::rdma
