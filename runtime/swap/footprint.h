// Footprint: how many pages hold something, local or far, and the most that ever did.
//
// Any thread; async-signal-safe. Relaxed: numbers for reports, which order nothing.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "runtime/base/metrics.h"

namespace tandem::swap {

class Footprint {
 public:
  void Add(size_t pages) {
    peak_.Record(pages_.fetch_add(pages, std::memory_order_relaxed) + pages);
  }
  void Subtract(size_t pages) { pages_.fetch_sub(pages, std::memory_order_relaxed); }
  size_t peak() const { return peak_.Value(); }

 private:
  std::atomic<uint64_t> pages_{0};
  base::Maximum peak_;
};

}  // namespace tandem::swap
