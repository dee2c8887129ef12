// VirtualPager: the pager of the simulator. Pages have a state byte and no bytes; time is passed
// in.
//
// Does what runtime/swap does, in the same order and with the same page table, budget, replacement
// policy, link model, limits and counters, but for these:
//   1. Nobody waits in here: who needs a page is told when to ask again.
//   2. Eviction takes no time: the evictor has a processor of its own. What it writes takes the
//   link.
//   3. A page is dirty when an object on it was born or a reference stored; stores of plain data
//      are not recorded. So write-backs are a lower bound.
//   4. Nothing gets lost or damaged, and nothing is pinned.
// One thread; times never fall from call to call.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <string>

#include "rdma/link_model.h"
#include "runtime/base/metrics.h"
#include "runtime/base/os_memory.h"
#include "runtime/swap/arrivals.h"
#include "runtime/swap/budget.h"
#include "runtime/swap/footprint.h"
#include "runtime/swap/observers.h"
#include "runtime/swap/page_table.h"
#include "runtime/swap/pager.h"
#include "runtime/swap/pager_metrics.h"
#include "runtime/swap/replacement.h"

namespace tandem::sim {

using swap::PageIndex;

struct VirtualPagerOptions {
  uint64_t heap_bytes = 0;
  size_t local_pages = 0;
  std::string replacement = "clock";
  rdma::LinkParameters link;
  size_t depth = 64;                          // reads in flight that nobody waits for
  swap::EarlyObserver* prefetched = nullptr;  // as PagerOptions::prefetched
};

class VirtualPager {
 public:
  // `registry` outlives the pager.
  static StatusOr<std::unique_ptr<VirtualPager>> Create(const VirtualPagerOptions& options,
                                                        base::Registry& registry);
  VirtualPager(const VirtualPager&) = delete;
  VirtualPager& operator=(const VirtualPager&) = delete;

  swap::PageTable& table() { return *table_; }
  const swap::Footprint& footprint() const { return footprint_; }
  const swap::Budget& budget() const { return budget_; }
  swap::PagerMetrics& metrics() { return metrics_; }
  uint64_t bytes_moved(rdma::Lane lane) const { return moved_[static_cast<size_t>(lane)]; }

  // Lands what has arrived by then, and takes that for the present.
  void AdvanceTo(uint64_t now_ns);

  // What a thread keeps while it waits for one page after the other.
  struct Wait {
    bool missed = false;      // read because of this thread
    bool on_its_way = false;  // found FETCHING
  };
  // 0: the page is local, and for a mutator touched. Else when to ask again, with the same `wait`;
  // it was passed in fresh for the first time.
  uint64_t MakeLocal(PageIndex page, swap::Cause cause, swap::AccessObserver* observer, Wait& wait);

  bool IsLocal(PageIndex page) { return swap::Residency(State(page)) == swap::kLocal; }
  bool IsFresh(PageIndex page) { return State(page) == (swap::kFar | swap::kFresh); }
  bool NeedsRead(PageIndex page) { return page < table_->used() && State(page) == swap::kFar; }
  // Something on the page, which is local, has been written.
  void Dirty(PageIndex page);

  // As of swap::Pager and swap::Arrivals; the receiver of Post is this.
  VirtualPager& arrivals() { return *this; }
  size_t Post(std::span<const PageIndex> pages, swap::Purpose purpose, size_t* posted = nullptr);
  void FetchRangeEarly(PageIndex first, size_t count);
  void ArmAllPages();
  void ShowEveryAccess(bool show) { touched_ = show ? swap::kLocal | swap::kArmed : swap::kLocal; }
  void MarkDead(PageIndex page);
  void Revive(PageIndex page);

  // When anything that is in flight may arrive; UINT64_MAX if nothing is.
  uint64_t NextArrival() const;
  size_t landed() const { return landed_; }  // since the beginning

 private:
  struct Flight {
    PageIndex page;
    rdma::Passage passage;
    uint64_t since_ns;
    bool demand;  // somebody waits for it: `cause`; else nobody: `purpose`
    swap::Cause cause;
    swap::Purpose purpose;
  };
  struct Write {
    PageIndex page;
    rdma::Passage passage;
  };

  VirtualPager(const VirtualPagerOptions& options, base::Registry& registry);

  swap::PageState State(PageIndex page) {
    return table_->state(page).load(std::memory_order_relaxed);  // one thread
  }
  void SetState(PageIndex page, swap::PageState state) {
    table_->state(page).store(state, std::memory_order_relaxed);
  }
  bool TakeFrame();
  void Evict();
  size_t EvictBatch(size_t most);
  void Leave(PageIndex page);
  void Send(Flight flight, rdma::Lane lane);
  void Land(const Flight& flight);
  void LandAll();
  void PollWrites();
  void Touch(PageIndex page, bool waited, swap::AccessObserver* observer);
  bool* DirtyByte(PageIndex page) const { return reinterpret_cast<bool*>(dirty_.data()) + page; }

  const VirtualPagerOptions options_;
  swap::PagerMetrics metrics_;
  swap::Budget budget_;
  swap::Footprint footprint_;
  rdma::LinkModel link_;
  base::OsMemory range_;  // addresses that nothing else has
  base::OsMemory dirty_;  // a byte a page
  std::unique_ptr<swap::PageTable> table_;
  std::unique_ptr<swap::Replacement> replacement_;
  const size_t low_;
  const size_t max_posted_;
  uint64_t now_ns_ = 0;
  swap::PageState touched_ = swap::kLocal;
  std::deque<Flight> reads_[rdma::kLaneCount];
  std::deque<Write> writes_;
  size_t posted_ = 0;  // reads in flight that nobody waits for
  size_t landed_ = 0;
  uint64_t moved_[rdma::kLaneCount] = {};
};

}  // namespace tandem::sim
