// RemoteFabric: far memory on memory servers, reached through libfabric, verbs or a mapping.
//
// Named by the servers, between which slabs alternate: tcp://HOST:PORT[,tcp://...][,key=value...],
// shm://NAME, verbs://HOST:PORT and so on (provider.h). Threads as in fabric.h. Call
// RegisterRemoteFabrics() once, before other threads exist, to have Fabric::Open know these names.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "rdma/fabric.h"
#include "rdma/lane_traffic.h"
#include "rdma/remote/keeper.h"
#include "rdma/remote/remote_server.h"
#include "runtime/base/os_memory.h"

namespace tandem::rdma {

struct RemoteOptions {
  std::vector<std::string> servers;
  uint64_t depth = 128;       // transfers in flight per channel
  uint64_t batch = 16;        // of lanes other than demand, at most so many on the wire per server
  uint64_t timeout_ms = 500;  // of a transfer, before it is tried again
  std::string source = {};    // verbs: this machine's address to go from; empty: any

  static StatusOr<RemoteOptions> Parse(std::string_view url);
  std::string Name() const;
};

class RemoteFabric final : public Fabric {
 public:
  static StatusOr<std::unique_ptr<Fabric>> Open(std::string_view url);

  std::string Name() const override { return options_.Name(); }
  StatusOr<uint32_t> LendSlab(uint64_t bytes) override;
  Status RegisterBuffer(void* start, size_t bytes) override;
  bool PinsBuffers() const override;
  StatusOr<std::unique_ptr<Channel>> OpenChannel() override;
  // Counted, and not passed on: a server would have to obey before any transfer that is posted
  // later, which would cost a round trip.
  void Discard(FarAddress far, uint64_t bytes) override;
  uint64_t TimeoutNs() const override { return options_.timeout_ms * 1'000'000; }
  FabricStats Stats() const override;
  const char* ServerOf(FarAddress far) const override;
  const char* TroubleAt(FarAddress far) const override;

  // For its channels.
  const RemoteOptions& options() const { return options_; }
  const std::vector<std::unique_ptr<RemoteServer>>& servers() const { return servers_; }
  Keeper& keeper() { return *keeper_; }
  // Another channel may have its number from now on, with generations above this one: at the
  // servers' ends it then takes the place of the one that has gone.
  void PutNumber(RoadNumber number);
  // Where this range lies, and at which server; false if there is no such slab or the range leaves
  // it. Async-signal-safe.
  bool Find(FarAddress far, uint64_t bytes, Extent& extent, uint32_t& server) const;
  bool IsRegistered(const void* start, size_t bytes) const;
  LaneTraffic& traffic() { return traffic_; }

 private:
  struct Slab {
    Extent extent;
    uint32_t server = 0;
  };
  static constexpr uint32_t kMaxSlabs = 1 << 18;

  explicit RemoteFabric(RemoteOptions options);

  const RemoteOptions options_;
  std::vector<std::unique_ptr<RemoteServer>> servers_;
  std::unique_ptr<Keeper> keeper_;

  std::mutex numbers_mutex_;
  uint32_t numbers_ = 0;                  // guarded by numbers_mutex_
  std::vector<RoadNumber> free_numbers_;  // guarded by numbers_mutex_

  mutable std::mutex mutex_;  // held by those who lend and register; readers need none
  base::OsMemory slab_table_;
  Slab* slabs_ = nullptr;  // entries below slab_count_ never change
  std::atomic<uint32_t> slab_count_{0};

  LaneTraffic traffic_;
  std::atomic<uint64_t> discarded_bytes_{0};
};

// Lets Fabric::Open know the providers of provider.h. Sets variables of the environment for
// libfabric, so it must come before other threads exist.
void RegisterRemoteFabrics();

}  // namespace tandem::rdma
