// Mapper: puts pages that lie in staging slots where they belong in the heap.
//
// Where the kernel can move pages there are two roads, and which one is cheaper changes:
//
//   move   the slot's own memory becomes the page. Nothing is allocated or copied, but the slot's
//          mapping goes away, so the kernel flushes the TLBs of all processors that run threads of
//          this process: an interrupt to each, and a wait until all have answered. With one thread
//          running that is nothing; with several it is the dearest part of a miss, above all in a
//          virtual machine.
//   copy   the kernel allocates a page and copies. No mapping goes away, nobody is interrupted. The
//          slot's memory, which an evicted page left there, goes back to the kernel later, many
//          pages at once (Staging::TakeEmpty).
//
// So both are timed, and the one that has been cheaper of late is taken; now and then the other one
// is tried. Neighbouring pages that are moved together share one flush. Any thread; lock-free;
// async-signal-safe.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "runtime/base/metrics.h"
#include "runtime/swap/staging.h"
#include "runtime/swap/userfault.h"

namespace tandem::swap {

class Mapper {
 public:
  // `move` false: this kernel, or this fabric, leaves copying only.
  Mapper(Userfault& uffd, Staging& staging, bool move, base::Counter& moved, base::Counter& copied)
      : uffd_(uffd), staging_(staging), move_(move), moved_(moved), copied_(copied) {}

  // Maps the pages in the slots at `to`, where nothing is mapped, and gives the slots back.
  void Map(uintptr_t to, SlotRun slots);
  // Maps `pages` pages of zeroes at `to`; at most kMaxZeroes.
  static constexpr size_t kMaxZeroes = 16;
  void MapZeroes(uintptr_t to, size_t pages);

 private:
  bool ShouldMove(size_t pages);

  static constexpr uint32_t kTryOther = 64;

  Userfault& uffd_;
  Staging& staging_;
  const bool move_;
  base::Counter& moved_;
  base::Counter& copied_;

  // What a single page has cost of late by either road. Relaxed, and updates may get lost: only an
  // estimate, and neither road is ever wrong.
  std::atomic<uint32_t> move_ns_{0};
  std::atomic<uint32_t> copy_ns_{0};
  std::atomic<uint32_t> mapped_{0};
};

}  // namespace tandem::swap
