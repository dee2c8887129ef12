// RecentCost: what something has cost of late, as a mean that forgets.
//
// Any thread: updates of several may get lost, since it is only an estimate.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>

namespace tandem::swap {

class RecentCost {
 public:
  void Note(uint64_t ns) {
    const uint64_t mean = this->ns();
    // What takes far longer than usual is mostly a thread that has lost its processor.
    const uint64_t sample = std::min(ns, 2 * mean);
    mean_ns_.store(mean == 0 ? ns : (7 * mean + sample + 7) / 8, std::memory_order_relaxed);
  }
  // 0: not known yet.
  uint64_t ns() const { return mean_ns_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> mean_ns_{0};  // relaxed: publishes nothing
};

}  // namespace tandem::swap
