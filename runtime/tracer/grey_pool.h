// GreyPool: grey references that no tracer holds, and the end of tracing.
//
// Mutators put what their barriers logged here, a batch at a time; tracers put what they can
// spare for idle ones. A reference that is not in the pool is in the hands of a tracer that
// counts as busy, in a mutator's own log, or traced; so once all tracers are idle and the pool is
// empty, only the logs can hold more (the collector asks for them in a handshake: collector.h).
// Any thread; one short lock.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <vector>

namespace tandem::tracer {

using GreyBatch = std::vector<uintptr_t>;

class GreyPool {
 public:
  void Add(GreyBatch batch) {
    if (batch.empty()) return;
    {
      std::lock_guard lock(mutex_);
      batches_.push_back(std::move(batch));
    }
    work_.notify_one();
  }

  bool Empty() const {
    std::lock_guard lock(mutex_);
    return batches_.empty();
  }

  // Starts a session of `tracers` tracers, all busy.
  void Begin(unsigned tracers) {
    std::lock_guard lock(mutex_);
    tracers_ = tracers;
    idle_.store(0, std::memory_order_relaxed);
    ended_ = false;
  }

  // Called by a tracer that has nothing left: the next batch, or nothing once all tracers are
  // idle and the pool is empty, which ends the session for all of them.
  GreyBatch Get() {
    std::unique_lock lock(mutex_);
    const unsigned idle = idle_.load(std::memory_order_relaxed) + 1;  // written under the lock
    idle_.store(idle, std::memory_order_relaxed);
    if (idle == tracers_ && batches_.empty()) {
      ended_ = true;
      work_.notify_all();
    }
    work_.wait(lock, [&] { return ended_ || !batches_.empty(); });
    if (batches_.empty()) return {};
    idle_.store(idle_.load(std::memory_order_relaxed) - 1, std::memory_order_relaxed);
    GreyBatch batch = std::move(batches_.back());
    batches_.pop_back();
    return batch;
  }

  // As Get, for a lone tracer: never waits.
  GreyBatch TryGet() {
    std::lock_guard lock(mutex_);
    if (batches_.empty()) return {};
    GreyBatch batch = std::move(batches_.back());
    batches_.pop_back();
    return batch;
  }

  // A hint for busy tracers: somebody would take work.
  bool SomebodyIsIdle() const { return idle_.load(std::memory_order_relaxed) != 0; }

 private:
  mutable std::mutex mutex_;
  std::condition_variable work_;
  std::vector<GreyBatch> batches_;
  unsigned tracers_ = 0;
  std::atomic<unsigned> idle_{0};
  bool ended_ = false;
};

}  // namespace tandem::tracer
