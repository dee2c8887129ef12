// Unmapper: takes pages out of the heap into staging slots, so that no store is lost.
//
// Each time that mappings go away the kernel flushes the TLBs of all processors that run threads of
// this process (see Mapper): what leaving costs is above all how often that happens. Two roads:
//
//   move   page by page in one atomic step each; neighbours share one flush. Where the kernel moves
//          pages.
//   copy   many pages, though they are no neighbours, with two flushes: the span from the first to
//          the last is write-protected, those that leave are copied and unmapped together, and the
//          protection is lifted from those that stay. Stores to either trap meanwhile, and wait.
//
// Both are timed, and the one is taken that has been cheaper of late; now and then the other.
//
// Pages that stay, though their span is protected, must not be written by the kernel (a system call
// would fail), so none of them may be pinned. Who pins raises the count and then waits until the
// page is not Protects; TakeOut publishes the span and then looks at the counts; all of it
// sequentially consistent, so one of them sees the other.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

#include "runtime/swap/page_table.h"
#include "runtime/swap/staging.h"
#include "runtime/swap/userfault.h"

namespace tandem::swap {

class Unmapper {
 public:
  static constexpr size_t kMaxPages = 64;

  // `move` false: this kernel, or this fabric, leaves copying only.
  Unmapper(PageTable& table, Staging& staging, Userfault& uffd, bool move)
      : table_(table), staging_(staging), uffd_(uffd), move_(move) {}

  // Takes out up to kMaxPages local pages, which are LEAVING; slots[i] holds pages[i] then. May
  // wait for slots. One thread at a time, which holds no page and no slot.
  void TakeOut(std::span<const PageIndex> pages, std::span<uint32_t> slots);

  // True while stores to the page may trap though it is local and stays. Any thread;
  // async-signal-safe.
  bool Protects(PageIndex page) const {
    const uint64_t span = protected_.load();
    const uint64_t pages = span & kSpanMask;
    return page - (span >> kSpanBits) < pages;
  }

 private:
  bool ShouldMove(std::span<const PageIndex> pages);
  void MoveOut(std::span<const PageIndex> pages, std::span<uint32_t> slots);
  void CopyOut(std::span<const PageIndex> pages, std::span<uint32_t> slots);
  void CopySpan(std::span<const PageIndex> pages, std::span<const uint32_t> slots);
  bool MayProtect(std::span<const PageIndex> pages) const;

  static constexpr unsigned kSpanBits = 16;
  static constexpr uint64_t kSpanMask = (1 << kSpanBits) - 1;
  // Of pages that stay, between two that leave: more of them cost more than another flush.
  static constexpr size_t kMaxGap = 32;
  static constexpr uint32_t kTryOther = 64;

  PageTable& table_;
  Staging& staging_;
  Userfault& uffd_;
  const bool move_;

  std::atomic<uint64_t> protected_{0};  // first page << kSpanBits | pages

  // What a run of neighbours has cost of late to move, and a page to copy; used by one thread at
  // a time.
  uint64_t move_run_ns_ = 0;
  uint64_t copy_page_ns_ = 0;
  uint32_t batches_ = 0;
};

}  // namespace tandem::swap
