// Keeper: the thread that keeps a fabric's leases and mends its channels' connections.
//
// Channels are added when they open and removed before they go; Wake is the only thing that they
// call otherwise, and is async-signal-safe.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <thread>
#include <vector>

#include "rdma/remote/wire.h"

namespace tandem::rdma {

class Keeper {
 public:
  // `servers` outlive the keeper.
  explicit Keeper(std::vector<RemoteServer*> servers);
  ~Keeper();
  Keeper(const Keeper&) = delete;
  Keeper& operator=(const Keeper&) = delete;

  // Opens the wire's first connection, and minds it from now on. Waits.
  Status Add(Wire& wire);
  void Remove(Wire& wire);

  void Wake();

 private:
  void ThreadMain();
  // True if a connection is still to be made.
  bool Mend(Wire& wire);
  void WatchServers();
  void RenewLeases();

  const std::vector<RemoteServer*> servers_;
  std::mutex mutex_;
  std::vector<Wire*> wires_;  // guarded by mutex_
  uint64_t next_renewal_ns_ = 0;
  std::atomic<uint32_t> wakeups_{0};
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

}  // namespace tandem::rdma
