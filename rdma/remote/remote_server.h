// RemoteServer: a memory server as a heap's process sees it.
//
// Joins when it is made and leaves when it goes; in between Renew keeps the lease. A server that
// no longer knows us has lost what it had lent, for good: that is noted, and never read as zeroes.
// lost() may be asked from anywhere; all else waits for the server, so it is not for hot paths.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "rdma/remote/control.h"
#include "rdma/remote/ofi.h"

namespace tandem::rdma {

// Far memory of one server: a slab of the fabric.
struct Extent {
  uint64_t bytes = 0;
  uint64_t key = 0;
  uint64_t base = 0;  // remote address of its first byte
};

class RemoteServer {
 public:
  // `url`: tcp://HOST:PORT or shm://NAME.
  static StatusOr<std::unique_ptr<RemoteServer>> Join(std::string_view url);
  ~RemoteServer();

  const std::string& url() const { return url_; }
  Provider provider() const { return provider_; }
  const Joined& joined() const { return joined_; }
  // What connections are opened with.
  fid_fabric* fabric() const { return fabric_.get(); }
  fi_info* info() const { return info_.get(); }

  // Zero-filled. Several small extents share one slab of the server.
  StatusOr<Extent> Borrow(uint64_t bytes);
  Status Renew();
  StatusOr<std::string> OpenRoad(const RoadNumber& road, const std::string& endpoint);

  // What was borrowed is gone and never comes back. Relaxed: tells of nothing else.
  bool lost() const { return lost_.load(std::memory_order_relaxed); }

 private:
  RemoteServer() = default;
  Status Note(Status status);

  std::string url_;
  Provider provider_ = Provider::kTcp;
  std::unique_ptr<ControlClient> control_;
  Joined joined_;
  InfoPtr info_;
  FidPtr<fid_fabric> fabric_;
  std::atomic<bool> lost_{false};

  std::mutex mutex_;
  LentMemory open_;         // guarded by mutex_; the slab that is being cut up
  uint64_t open_used_ = 0;  // guarded by mutex_
};

}  // namespace tandem::rdma
