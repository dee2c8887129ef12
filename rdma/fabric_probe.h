// FabricProbe: measures a fabric by using it: how long transfers take, by size and by how many of
// them are in flight.
//
// Owned and used by one thread; borrows far memory of the fabric, which must outlive it. Transfers
// go to places of that memory in turn, in the lane of demand. While nothing arrives it polls, and
// after a while lets others have the processor between two polls.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "rdma/fabric.h"
#include "rdma/link_fit.h"
#include "runtime/base/os_memory.h"

namespace tandem::rdma {

struct ProbeResult {
  LinkSample median;
  double p99_ns = 0;
  uint64_t transfers = 0;
};

class FabricProbe {
 public:
  static constexpr uint32_t kMaxBytes = 64 << 10;
  static constexpr uint32_t kMaxDepth = 32;

  static StatusOr<std::unique_ptr<FabricProbe>> Open(Fabric& fabric);

  // As many as a channel takes, up to kMaxDepth.
  uint32_t depth() const { return depth_; }

  // Keeps `depth` transfers of `bytes` in flight for `duration_ns`. Nothing if the fabric does not
  // move that size. Fails if no transfer gets through, or the server is gone.
  StatusOr<std::optional<ProbeResult>> Measure(Direction direction, uint32_t bytes, uint32_t depth,
                                               uint64_t duration_ns);

 private:
  explicit FabricProbe(Fabric& fabric) : fabric_(fabric) {}

  // Keeps `depth` transfers in flight until that time or that many are done, and waits for the
  // last. False: the fabric does not move that size.
  StatusOr<bool> Run(Direction direction, uint32_t bytes, uint32_t depth, uint64_t end_ns,
                     size_t count);
  // Takes back what is in flight.
  void GiveUp();
  Status Silent() const;

  Fabric& fabric_;
  base::OsMemory buffer_;
  uint32_t slab_ = 0;
  uint32_t depth_ = 0;
  std::unique_ptr<Channel> channel_;
  std::vector<uint64_t> posted_ns_;     // by cookie
  std::vector<uint64_t> latencies_ns_;  // of one measurement
  std::vector<uint64_t> done_ns_;
};

}  // namespace tandem::rdma
