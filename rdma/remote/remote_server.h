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

#include "rdma/remote/connection.h"
#include "rdma/remote/control.h"
#include "rdma/remote/transport.h"

namespace tandem::rdma {

class RemoteServer {
 public:
  // `depth`, `source`: as in TransportOptions.
  static StatusOr<std::unique_ptr<RemoteServer>> Join(std::string_view url, uint64_t depth,
                                                      const std::string& source);
  ~RemoteServer();

  const std::string& url() const { return url_; }
  Provider provider() const { return provider_; }
  const Joined& joined() const { return joined_; }
  Transport& transport() const { return *transport_; }

  // Zero-filled. Several small extents share one slab of the server. Heaps that cannot grow ask at
  // every allocation: the server itself is asked only when there is hope (see Refuses).
  StatusOr<Extent> Borrow(uint64_t bytes);
  Status Renew();
  StatusOr<std::string> OpenRoad(const RoadNumber& road, const std::string& endpoint);

  // What was borrowed is gone and never comes back. Relaxed: tells of nothing else.
  bool lost() const { return lost_.load(std::memory_order_relaxed); }

  // It did not lend when it was asked last, for a reason other than its limits, and no lease has
  // been renewed since. Relaxed: tells of nothing else.
  bool silent() const { return silent_.load(std::memory_order_relaxed); }

  // Why pages do not get there at present: a constant; null if they do, or nothing is known.
  // Relaxed: for people.
  const char* trouble() const { return trouble_.load(std::memory_order_relaxed); }
  void SetTrouble(const char* trouble) { trouble_.store(trouble, std::memory_order_relaxed); }

 private:
  RemoteServer() = default;
  Status Note(Status status);
  // Whether asking for so many bytes would get the same answer as the last time, as far as we know.
  // Under mutex_.
  bool Refuses(uint64_t bytes) const;

  std::string url_;
  Provider provider_ = Provider::kTcp;
  std::unique_ptr<ControlClient> control_;
  Joined joined_;
  std::unique_ptr<Transport> transport_;
  std::atomic<bool> lost_{false};
  std::atomic<bool> silent_{false};
  std::atomic<const char*> trouble_{nullptr};

  std::mutex mutex_;
  LentMemory unattached_;   // guarded by mutex_; lent, but out of reach: tried again
  LentMemory open_;         // guarded by mutex_; the slab that is being cut up
  uint64_t open_used_ = 0;  // guarded by mutex_

  // The last loan that was refused. Guarded by mutex_.
  Status refusal_;
  uint64_t refused_bytes_ = 0;
  uint64_t ask_again_ns_ = 0;
};

}  // namespace tandem::rdma
