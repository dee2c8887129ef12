// Unmapper: takes pages out of the heap into staging slots, so that no store is lost.
//
// Each time that mappings go away the kernel flushes the TLBs of all processors that run threads of
// this process (see Mapper): what leaving costs is above all how often that happens. Two roads:
//
//   move   page by page in one atomic step each; neighbours share one flush (from Linux 6.18 on).
//          Where the kernel moves pages.
//   copy   many pages, though they are no neighbours, with two flushes: the *span* from the first
//          to the last is write-protected, those that leave are copied and unmapped together (from
//          Linux 6.17 on), and the protection is lifted from those that stay. Stores to either trap
//          meanwhile, and wait.
//
// Whichever has been cheaper of late is taken (RoadChoice). Pages that are all
// neighbours, in one run or two, are moved: that takes no more flushes.
//
// Pages that stay, though their span is protected, must not be written by the kernel (a system call
// would fail), so none of them may be pinned. Who pins raises the count and then waits until the
// page is not InSpan; TakeOut publishes the span and then looks at the counts; all of it
// sequentially consistent, so one of them sees the other (tests/swap/span_model_test.cc). While a
// span is published no signal handler runs here: it might wait for the span's end.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

#include "runtime/swap/page_table.h"
#include "runtime/swap/road_choice.h"
#include "runtime/swap/staging.h"
#include "runtime/swap/userfault.h"

namespace tandem::swap {

class Unmapper {
 public:
  static constexpr size_t kMaxPages = 64;
  // Between two pages that leave, in one span; beyond that those that stay cost more than flushes.
  static constexpr size_t kMaxDistance = 32;

  Unmapper(PageTable& table, Staging& staging, Userfault& uffd, RoadChoice& roads)
      : table_(table), staging_(staging), uffd_(uffd), roads_(roads) {}

  // Takes out up to kMaxPages local pages, which are LEAVING; slots[i] holds pages[i] then. May
  // wait for slots. One thread at a time.
  void TakeOut(std::span<const PageIndex> pages, std::span<uint32_t> slots);

  // True while stores to the page may trap although it is local and stays; also of pages near it.
  // Any thread; async-signal-safe.
  bool InSpan(PageIndex page) const {
    const uint64_t span = span_.load();
    return page - (span >> kLengthBits) < (span & kLengthMask);
  }

 private:
  void MoveOut(std::span<const PageIndex> pages, std::span<uint32_t> slots);
  void CopyOut(std::span<const PageIndex> pages, std::span<uint32_t> slots);
  size_t CopySpan(std::span<const PageIndex> pages, std::span<const uint32_t> slots);
  void CopyAndUnmap(std::span<const PageIndex> pages, std::span<const uint32_t> slots);
  size_t BeforePinned(std::span<const PageIndex> pages) const;

  static constexpr unsigned kLengthBits = 16;
  static constexpr uint64_t kLengthMask = (1 << kLengthBits) - 1;
  static_assert(kMaxPages * kMaxDistance <= kLengthMask);

  PageTable& table_;
  Staging& staging_;
  Userfault& uffd_;
  RoadChoice& roads_;

  // First page << kLengthBits | pages; 0: none. Sequentially consistent: see above.
  std::atomic<uint64_t> span_{0};
};

}  // namespace tandem::swap
