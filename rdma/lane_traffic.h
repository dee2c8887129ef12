// LaneTraffic: how many bytes a fabric has moved, by direction and lane.
//
// Any thread. Relaxed throughout: statistics, exact once the channels are quiet.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "rdma/channel.h"
#include "rdma/fabric.h"

namespace tandem::rdma {

class LaneTraffic {
 public:
  void Count(const Transfer& transfer) {
    Bytes& bytes = transfer.direction == Direction::kRead ? read_ : written_;
    bytes.of_lane[static_cast<size_t>(transfer.lane)].fetch_add(transfer.bytes,
                                                                std::memory_order_relaxed);
  }

  void Tell(FabricStats& stats) const {
    for (size_t lane = 0; lane < kLaneCount; ++lane) {
      stats.read_bytes[lane] = read_.of_lane[lane].load(std::memory_order_relaxed);
      stats.written_bytes[lane] = written_.of_lane[lane].load(std::memory_order_relaxed);
    }
  }

 private:
  // Readers and the evictor, who writes, do not share a cache line.
  struct alignas(64) Bytes {
    std::atomic<uint64_t> of_lane[kLaneCount] = {};
  };

  Bytes read_;
  Bytes written_;
};

}  // namespace tandem::rdma
