// MemorySeries: how the memory of a heap changes while a program runs, in a bounded number of
// samples. MemorySampler: the thread that takes them.
//
// However long the run, there are at most kCapacity samples, evenly spaced: when they are full,
// every other one is dropped and the next come half as often. A sample reads a few counters and
// stops nobody.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <thread>
#include <vector>

#include "tandem/heap.h"

namespace tandem::workloads {

struct MemorySample {
  double seconds = 0;            // since sampling began
  uint64_t heap_used_bytes = 0;  // live after the last cycle + allocated since
  uint64_t local_bytes = 0;      // heap pages in local memory
};

// One thread at a time.
class MemorySeries {
 public:
  static constexpr size_t kCapacity = 128;

  void Add(const MemorySample& sample);

  // How many times the first interval should lie between two samples now.
  uint64_t stride() const { return stride_; }
  const std::vector<MemorySample>& samples() const { return samples_; }

 private:
  std::vector<MemorySample> samples_;
  uint64_t stride_ = 1;
};

// Samples a heap from its making until Stop(). The heap must live as long.
class MemorySampler {
 public:
  explicit MemorySampler(const Heap& heap);
  ~MemorySampler();
  MemorySampler(const MemorySampler&) = delete;
  MemorySampler& operator=(const MemorySampler&) = delete;

  // The samples, the last of them taken now. Once.
  std::vector<MemorySample> Stop();

 private:
  void SampleUntilStopped();
  void TakeSample();

  const Heap& heap_;
  const uint64_t start_ns_;
  MemorySeries series_;  // of the thread until it has ended
  std::mutex mutex_;
  std::condition_variable stop_changed_;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace tandem::workloads
