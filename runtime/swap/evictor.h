// Evictor: makes local pages far, so that fetches find frames.
//
// When free frames fall below a low watermark, the thread that has just taken one evicts a batch
// (*relief*): it chooses victims, takes them out into staging slots (Unmapper: no store is lost),
// gives the frames back, and posts writes of the dirty ones. A thread that waits for a page has
// time to give away: it evicts as many as fit meanwhile, and on a fabric that takes longer than an
// eviction there is nothing left to relieve. A thread of the evictor's own, which is woken when a
// frame was needed and none was free, evicts up to half of the low watermark, where those who take
// frames go on by themselves. It is the last resort and not the rule: one more thread that runs is
// one more processor to be interrupted whenever a page is unmapped.
//
// All eviction happens under one lock, on one channel: writes to one page cannot overtake each
// other, and a page whose write is in flight is not evicted again before it completed. The lock
// is only ever tried by threads that need a frame, and its holder only reads pages that leave, so
// no fault can find it held by its own thread.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <thread>

#include "rdma/fabric.h"
#include "rdma/slab_map.h"
#include "runtime/swap/arrivals.h"
#include "runtime/swap/budget.h"
#include "runtime/swap/footprint.h"
#include "runtime/swap/page_table.h"
#include "runtime/swap/pager_metrics.h"
#include "runtime/swap/recent_cost.h"
#include "runtime/swap/replacement.h"
#include "runtime/swap/staging.h"
#include "runtime/swap/unmapper.h"

namespace tandem::swap {

// The parts of a pager that the evictor works on.
struct EvictorParts {
  PageTable& table;
  Staging& staging;
  Unmapper& unmapper;
  Budget& budget;
  Footprint& footprint;
  rdma::SlabMap& slabs;
  Arrivals& arrivals;
  PagerMetrics& metrics;
  uint64_t timeout_ns;  // of a write
  size_t batch = 64;    // victims a round
};

class Evictor {
 public:
  Evictor(EvictorParts parts, std::unique_ptr<rdma::Channel> channel,
          std::unique_ptr<Replacement> replacement);
  ~Evictor();  // stops the thread; writes in flight are abandoned

  // To be called after frames were taken, with nothing held: sees to it that there will be more.
  // Nothing is done if another thread is at it. Async-signal-safe.
  void Relieve() {
    if (FramesAreShort()) TryEvict();
  }
  // For a thread that waits for a page, as a rule for `usual_ns` from now on: evicts as many as
  // fit, if frames are short. False: it did nothing. Async-signal-safe.
  bool UseWait(uint64_t usual_ns) {
    return usual_ns > 0 && FramesAreShort() && UseWaitNow(usual_ns);
  }
  // Has the thread go on. Cheap; async-signal-safe.
  void Wake();
  // Pages that a thread has leave at most at a time: it is held up meanwhile.
  static constexpr size_t kBatchHere = 16;
  // Free frames below this are short: time to evict.
  static size_t LowWatermark(const Budget& budget) {
    return std::clamp<size_t>(budget.limit() / 32, 4, 256);
  }

  // Sees to the writes in flight, if nobody else does. Async-signal-safe.
  void GoOn();
  // Runs one batch on the calling thread if nobody else is evicting. False: somebody is.
  bool TryEvict();

  // True once the far side is lost: nothing can be written back any more.
  bool lost() const { return lost_server() != nullptr; }
  // The memory server that did not take a page; null: there is none. Relaxed: a constant text.
  const char* lost_server() const { return lost_server_.load(std::memory_order_relaxed); }

  // A thread has taken `page` back from WRITING (transition g) and mapped it: the slot's bytes
  // are not needed for that any more.
  void RescueDone(PageIndex page);

  // Unmaps the page at once, for good, if it is local: see HeapOptions::protect_dead.
  void Protect(PageIndex page);

 private:
  // Bits of Slot::flags: whoever sets the second one recycles the slot.
  static constexpr uint8_t kWriteDone = 1;
  static constexpr uint8_t kRescueDone = 2;

  struct Slot {
    std::atomic<uint8_t> flags{0};
    PageIndex page = 0;        // written under the lock before WRITING is visible
    uint64_t deadline_ns = 0;  // under the lock; 0: not in flight
  };

  bool FramesAreShort() const { return parts_.budget.free() < low_; }
  // The thread's own mark: others do not keep up, or only such reads wait for frames as leave a
  // reserve (ArrivalsParts). Had it gone on to the low watermark, it would never end while frames
  // are taken.
  bool FramesRunOut() const { return parts_.budget.free() <= low_ / 2; }
  bool UseWaitNow(uint64_t usual_ns);
  void StartThread();
  void ThreadMain();
  // The following need the lock.
  size_t EvictBatch(size_t most);
  size_t EvictVictims(size_t most);
  void Leave(PageIndex page, uint32_t slot);
  void QueueWrite(uint32_t slot);
  void PostWrites();
  size_t PollWrites();
  void RetryOverdueWrites();
  void WriteCompleted(uint32_t slot);
  void Recycle(PageIndex page, uint32_t slot);
  // The server that should have taken the slot's page is lost.
  void NoteLoss(uint32_t slot) {
    lost_server_.store(parts_.slabs.ServerOf(slots_[slot].page), std::memory_order_relaxed);
  }

  bool TryLock() { return !locked_.exchange(true, std::memory_order_acquire); }
  void Unlock() { locked_.store(false, std::memory_order_release); }

  EvictorParts parts_;
  std::unique_ptr<rdma::Channel> channel_;
  std::unique_ptr<Replacement> replacement_;
  const uint64_t zero_hash_;
  size_t low_ = 0;

  std::atomic<bool> locked_{false};
  std::atomic<const char*> lost_server_{nullptr};
  std::array<Slot, Staging::kSlots> slots_;
  // Slots whose write is not posted yet: a ring under the lock.
  std::array<uint32_t, Staging::kSlots> to_post_;
  size_t post_head_ = 0;
  size_t post_tail_ = 0;
  size_t in_flight_ = 0;
  uint64_t next_timeout_check_ns_ = 0;
  uint32_t overdue_checks_ = 0;  // in a row, without a completion in between

  RecentCost page_cost_;  // of making a page leave

  std::atomic<uint32_t> wakeups_{0};
  std::atomic<bool> asleep_{false};
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

}  // namespace tandem::swap
