// PageTable: what the pager knows of each page of one heap.
//
// Owned by the pager. Five tables indexed by page number, all reserved lazily: the state byte
// (shared with the barriers: see tandem/internal/barrier.h and page_state.h), the content hash of
// the far copy, the staging slot of a write in flight, the pin count, and when the page left last.
// Pages at and beyond `used()` have never been given to the heap; their entries are all zero.
//
// Threads: any. Each table's protocol stands beside its accessor.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "runtime/base/os_memory.h"
#include "runtime/swap/page_state.h"
#include "tandem/status.h"

namespace tandem::swap {

using PageIndex = uint64_t;

// What PageTable::hash holds besides real hashes.
inline constexpr uint64_t kNoFarCopy = 0;
inline constexpr uint64_t kDeadContent = 1;

class PageTable {
 public:
  // Bytes of the five tables for each page.
  static constexpr size_t kBytesPerPage = 1 + 8 + 4 + 2 + 4;

  // For the heap range [base, base + pages * 4096); base is aligned to kAlignment.
  static constexpr size_t kAlignment = size_t{1} << 24;  // a page of state bytes covers this much
  static StatusOr<std::unique_ptr<PageTable>> Create(uintptr_t base, size_t pages);
  ~PageTable();
  PageTable(const PageTable&) = delete;
  PageTable& operator=(const PageTable&) = delete;

  uintptr_t base() const { return base_; }
  size_t pages() const { return pages_; }
  // Release/acquire: who sees the new bound sees the states below it.
  size_t used() const { return used_.load(std::memory_order_acquire); }

  // Gives pages [used(), end) to the heap, as FAR|fresh. One thread at a time.
  void Extend(PageIndex end);

  bool Contains(uintptr_t address) const { return address - base_ < pages_ * base::kPageSize; }
  PageIndex PageOf(uintptr_t address) const { return (address - base_) >> base::kPageShift; }
  uintptr_t AddressOf(PageIndex page) const { return base_ + (page << base::kPageShift); }

  // See page_state.h.
  std::atomic<PageState>& state(PageIndex page) { return states_[page]; }

  // The first page from `page` on, below `end`, that may be local; else `end`. Looks at many at
  // once.
  PageIndex NextLocal(PageIndex page, PageIndex end) const;

  // Hash of the bytes the memory server has (or will have when the write in flight completes);
  // kNoFarCopy; or kDeadContent: the bytes are worthless, drop the page instead of writing it.
  // Written by whoever claimed the page (LEAVING or FETCHING); only kDeadContent may be taken back
  // to kNoFarCopy without a claim, by the allocator (Pager::Revive: sequentially consistent
  // against the evictor's claim).
  std::atomic<uint64_t>& hash(PageIndex page) { return hashes_[page]; }

  // 1 + the staging slot whose write is in flight, else 0. Set by the evictor before WRITING is
  // visible, cleared by whoever recycles the slot.
  std::atomic<uint32_t>& slot(PageIndex page) { return slots_[page]; }

  // How many PinScopes hold the page local.
  std::atomic<uint16_t>& pins(PageIndex page) { return pins_[page]; }

  // The evictor: the page leaves now. Time is counted in departures.
  void NoteDeparture(PageIndex page) {
    // Relaxed: a statistic. Only the evictor writes; 0 is kept for pages that never left.
    const uint32_t now = departures_.load(std::memory_order_relaxed) + 1;
    departures_.store(now + (now == 0), std::memory_order_relaxed);
    left_[page].store(now, std::memory_order_relaxed);
  }
  // Whether fewer than `within` pages have left since this one did.
  bool LeftRecently(PageIndex page, size_t within) const {
    const uint32_t left = left_[page].load(std::memory_order_relaxed);
    return left != 0 && departures_.load(std::memory_order_relaxed) - left < within;
  }

 private:
  PageTable() = default;

  uintptr_t base_ = 0;
  size_t pages_ = 0;
  std::atomic<size_t> used_{0};
  std::atomic<PageState>* states_ = nullptr;
  std::atomic<uint64_t>* hashes_ = nullptr;
  std::atomic<uint32_t>* slots_ = nullptr;
  std::atomic<uint16_t>* pins_ = nullptr;
  std::atomic<uint32_t>* left_ = nullptr;
  std::atomic<uint32_t> departures_{0};
  base::OsMemory hash_memory_, slot_memory_, pin_memory_, left_memory_;
};

}  // namespace tandem::swap
