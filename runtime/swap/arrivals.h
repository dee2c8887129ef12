// Arrivals: far pages on their way in that no single thread waits for.
//
// Who wants pages before they are needed (a prefetcher, a tracer, a read of a whole range) posts
// them here and goes on. A page is claimed (transition a of page_state.h) with its frame and its
// slot in hand, so that in flight it depends on the fabric alone. Whoever comes by lands what has
// arrived: a thread that finds its page in FETCHING, one that waits for a frame, the evictor on
// its rounds, a tracer. So a page that nobody wants any more may stay in flight for long, and
// costs a frame; their number is bounded.
//
// One channel for the heap, under a lock that is only ever tried, and whose holder touches no
// heap memory and waits for nothing. Any thread; async-signal-safe but for the constructor. But a
// signal handler that has interrupted the lock's holder cannot wait for a page in flight.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>

#include "rdma/fabric.h"
#include "rdma/slab_map.h"
#include "runtime/swap/budget.h"
#include "runtime/swap/mapper.h"
#include "runtime/swap/page_table.h"
#include "runtime/swap/pager_metrics.h"
#include "runtime/swap/staging.h"

namespace tandem::swap {

// Why pages are brought in without anybody waiting, and what follows from that.
enum class Purpose : uint8_t {
  kRange,      // a mutator is about to read all of them
  kPrefetch,   // a prefetcher thinks that a mutator will want them
  kHint,       // the application says so
  kLookAhead,  // the tracer has seen that a mutator is near
  kTrace,      // the tracer has work on them
};
inline constexpr size_t kPurposes = 5;

struct ArrivalsParts {
  PageTable& table;
  Staging& staging;
  Mapper& mapper;
  Budget& budget;
  rdma::SlabMap& slabs;
  PagerMetrics& metrics;
  size_t reserve;                          // frames that only those who wait may take
  uint64_t timeout_ns;                     // of a read
  std::function<void()> took_frames = {};  // called when a post has; must not wait
};

// By purpose: which lane a page comes in, and its state once it is here. What only the tracer asked
// for is first to leave again.
inline constexpr rdma::Lane kLaneOf[kPurposes] = {rdma::Lane::kDemand, rdma::Lane::kPrefetch,
                                                  rdma::Lane::kPrefetch, rdma::Lane::kPrefetch,
                                                  rdma::Lane::kTrace};
inline constexpr PageState kStateOf[kPurposes] = {
    kLocal, kLocal | kUntouched | kPrefetched, kLocal | kUntouched | kPrefetched | kHinted,
    kLocal | kUntouched | kPrefetched | kCold, kLocal | kUntouched | kCold};

class Arrivals {
 public:
  static constexpr size_t kMaxInFlight = 256;

  Arrivals(ArrivalsParts parts, std::unique_ptr<rdma::Channel> channel);

  // Posts reads for those of the pages that are far, in order, until frames, slots or the queue
  // run out; returns how many pages from the front are dealt with, and adds to `posted` how many of
  // them are on their way by that.
  size_t Post(std::span<const PageIndex> pages, Purpose purpose, size_t* posted = nullptr);

  // Maps what has arrived, up to `max` pages; returns how many. Cheap when nothing is in flight.
  static constexpr size_t kMaxLanding = 32;
  size_t Land(size_t max = kMaxLanding);

  size_t in_flight() const { return in_flight_.load(std::memory_order_relaxed); }

 private:
  struct Entry {
    PageIndex page = 0;
    uint32_t slot = 0;
    Purpose purpose = Purpose::kPrefetch;
    uint8_t damaged = 0;       // times that it arrived damaged
    uint64_t deadline_ns = 0;  // 0: the entry is free
  };

  // Posted together, so that a device hears of them once.
  static constexpr size_t kPostAtOnce = 16;
  static constexpr uint32_t kNone = UINT32_MAX;

  // All of these need the lock.
  size_t PostSome(std::span<const PageIndex> pages, Purpose purpose);
  bool Claim(PageIndex page, Purpose purpose, uint32_t& entry);
  rdma::Transfer ReadOf(uint32_t entry) const;
  base::Counter& CounterOf(Purpose purpose);
  EarlyMetrics* EarlyOf(Purpose purpose);  // null: the pages are not for somebody who may come
  bool PostAgain(uint32_t entry);
  void MapRun(std::span<const uint32_t> entries);
  void RetryOverdue();
  void GiveUp(uint32_t entry);
  void Unclaim(uint32_t entry);
  void Free(uint32_t entry);

  bool TryLock() { return !locked_.exchange(true, std::memory_order_acquire); }
  void Unlock() { locked_.store(false, std::memory_order_release); }

  ArrivalsParts parts_;
  std::unique_ptr<rdma::Channel> channel_;
  const size_t max_in_flight_;
  std::atomic<bool> locked_{false};
  std::atomic<size_t> in_flight_{0};  // relaxed: written under the lock, elsewhere a hint
  std::array<Entry, kMaxInFlight> entries_;
  std::array<uint32_t, kMaxInFlight> free_;
  size_t free_count_ = 0;
  SlotRun slots_;  // taken, but not used yet: runs of neighbours map in one step
  uint64_t next_timeout_check_ns_ = 0;
  uint32_t overdue_checks_ = 0;  // in a row, without a completion in between
};

}  // namespace tandem::swap
