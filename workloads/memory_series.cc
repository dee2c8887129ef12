#include "workloads/memory_series.h"

#include <chrono>

namespace tandem::workloads {

namespace {

constexpr std::chrono::milliseconds kFirstInterval{10};

uint64_t NowNs() {
  return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(
                                   std::chrono::steady_clock::now().time_since_epoch())
                                   .count());
}

}  // namespace

void MemorySeries::Add(const MemorySample& sample) {
  if (samples_.size() == kCapacity) {
    for (size_t i = 0; i < kCapacity / 2; ++i) samples_[i] = samples_[2 * i];
    samples_.resize(kCapacity / 2);
    stride_ *= 2;
  }
  samples_.push_back(sample);
}

MemorySampler::MemorySampler(const Heap& heap)
    : heap_(heap), start_ns_(NowNs()), thread_([this] { SampleUntilStopped(); }) {}

MemorySampler::~MemorySampler() {
  if (thread_.joinable()) Stop();
}

std::vector<MemorySample> MemorySampler::Stop() {
  {
    std::lock_guard lock(mutex_);
    stop_ = true;
  }
  stop_changed_.notify_one();
  thread_.join();
  TakeSample();
  return series_.samples();
}

void MemorySampler::SampleUntilStopped() {
  std::unique_lock lock(mutex_);
  do {
    TakeSample();
  } while (
      !stop_changed_.wait_for(lock, kFirstInterval * series_.stride(), [this] { return stop_; }));
}

void MemorySampler::TakeSample() {
  const HeapMemory memory = heap_.Memory();
  series_.Add({static_cast<double>(NowNs() - start_ns_) * 1e-9, memory.heap_used_bytes,
               memory.local_bytes});
}

}  // namespace tandem::workloads
