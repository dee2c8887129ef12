// Mapper: puts pages that lie in staging slots where they belong in the heap.
//
// Where the kernel can move pages there are two roads, and which one is cheaper changes
// (RoadChoice):
//
//   move   the slot's own memory becomes the page. Nothing is allocated or copied, but the slot's
//          mapping goes away, so the kernel flushes the TLBs of all processors that run threads of
//          this process: an interrupt to each, and a wait until all have answered. With one thread
//          running that is nothing; with several it is the dearest part of a miss, above all in a
//          virtual machine. From Linux 6.18 on a run of neighbours shares one flush.
//   copy   the kernel allocates a page and copies. No mapping goes away, nobody is interrupted.
//          Where pages leave by being moved, the slot's memory goes back to the kernel later, many
//          slots at once (Staging::TakeEmpty).
//
// A run of neighbours is moved if one flush is cheaper than to copy them all. Any thread;
// lock-free; async-signal-safe.
#pragma once

#include <cstddef>
#include <cstdint>

#include "runtime/base/metrics.h"
#include "runtime/swap/road_choice.h"
#include "runtime/swap/staging.h"
#include "runtime/swap/userfault.h"
#include "runtime/swap/zero_pages.h"

namespace tandem::swap {

class Mapper {
 public:
  Mapper(Userfault& uffd, Staging& staging, RoadChoice& roads, base::Counter& moved,
         base::Counter& copied)
      : uffd_(uffd), staging_(staging), roads_(roads), moved_(moved), copied_(copied) {}

  // Maps the pages in the slots at `to`, where nothing is mapped, and gives the slots back.
  void Map(uintptr_t to, SlotRun slots);
  // Maps `pages` pages of zeroes at `to`, where nothing is mapped; at most kMaxZeroes.
  static constexpr size_t kMaxZeroes = kZeroPages;
  void MapZeroes(uintptr_t to, size_t pages);

 private:
  Userfault& uffd_;
  Staging& staging_;
  RoadChoice& roads_;
  base::Counter& moved_;
  base::Counter& copied_;
};

}  // namespace tandem::swap
