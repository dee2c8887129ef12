// GreyPool: grey references that no tracer holds, and the end of tracing.
//
// Mutators put what their barriers logged here, a batch at a time; tracers put what they can
// spare for idle ones. A reference that is not in the pool is in the hands of a tracer that
// counts as busy, in a mutator's own log, or traced; so once all tracers are idle and the pool is
// empty, only the logs can hold more (the collector asks for them in a handshake: collector.h). A
// tracer that takes nothing from the pool rests instead: for a moment at a time it counts as idle,
// and the session ends if all others are so just then. Any thread; one short lock.
#pragma once

#include <atomic>
#include <chrono>
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
    tracers_.store(tracers, std::memory_order_relaxed);
    idle_.store(0, std::memory_order_relaxed);
    ended_ = false;
  }

  // Called by a tracer that has nothing left: the next batch, or nothing once all tracers are
  // idle and the pool is empty, which ends the session for all of them.
  GreyBatch Get() {
    std::unique_lock lock(mutex_);
    const unsigned idle = idle_.load(std::memory_order_relaxed) + 1;  // written under the lock
    idle_.store(idle, std::memory_order_relaxed);
    EndIfAllAreIdle();
    work_.wait(lock, [&] { return ended_ || !batches_.empty(); });
    if (batches_.empty()) return {};
    idle_.store(idle_.load(std::memory_order_relaxed) - 1, std::memory_order_relaxed);
    GreyBatch batch = std::move(batches_.back());
    batches_.pop_back();
    return batch;
  }

  // Called instead by a tracer that takes nothing from the pool and has nothing left: waits a
  // moment, and says whether the session has ended.
  bool Rest() {
    std::unique_lock lock(mutex_);
    ++resting_;
    EndIfAllAreIdle();
    end_.wait_for(lock, std::chrono::microseconds(50), [&] { return ended_; });
    --resting_;
    return ended_;
  }

  // As Get, for a lone tracer: never waits.
  GreyBatch TryGet() {
    std::lock_guard lock(mutex_);
    if (batches_.empty()) return {};
    GreyBatch batch = std::move(batches_.back());
    batches_.pop_back();
    return batch;
  }

  // Of the session; does not change while it lasts.
  unsigned tracers() const { return tracers_.load(std::memory_order_relaxed); }

  // A hint for busy tracers: somebody would take work.
  bool SomebodyIsIdle() const { return idle_.load(std::memory_order_relaxed) != 0; }

 private:
  // Under mutex_.
  void EndIfAllAreIdle() {
    const unsigned idle = idle_.load(std::memory_order_relaxed) + resting_;
    if (idle < tracers() || !batches_.empty()) return;
    ended_ = true;
    work_.notify_all();
    end_.notify_all();
  }

  mutable std::mutex mutex_;
  std::condition_variable work_;
  std::condition_variable end_;
  std::vector<GreyBatch> batches_;
  std::atomic<unsigned> tracers_{0};  // relaxed: written before the session's tracers begin
  std::atomic<unsigned> idle_{0};
  unsigned resting_ = 0;
  bool ended_ = false;
};

}  // namespace tandem::tracer
