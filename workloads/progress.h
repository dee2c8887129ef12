// Progress: how far a run has come; threads that work report, one that watches samples.
//
// Owned by whoever starts the run. Advance() is one relaxed add: call it per batch of work, not
// per object. Any thread.
#pragma once

#include <atomic>
#include <cstdint>

namespace tandem::workloads {

class Progress {
 public:
  struct Sample {
    const char* phase;  // static; empty before the first phase
    uint64_t done;
    uint64_t total;  // 0: nobody knows
  };

  // `phase` must be a literal. Not from two threads at once.
  void Begin(const char* phase, uint64_t total) {
    done_.store(0, std::memory_order_relaxed);
    total_.store(total, std::memory_order_relaxed);
    phase_.store(phase, std::memory_order_relaxed);
  }
  void Advance(uint64_t units) { done_.fetch_add(units, std::memory_order_relaxed); }

  // Relaxed, so a sample taken while phases change may mix two: it is for show.
  Sample Get() const {
    return {phase_.load(std::memory_order_relaxed), done_.load(std::memory_order_relaxed),
            total_.load(std::memory_order_relaxed)};
  }

 private:
  std::atomic<const char*> phase_{""};
  std::atomic<uint64_t> done_{0};
  std::atomic<uint64_t> total_{0};
};

}  // namespace tandem::workloads
