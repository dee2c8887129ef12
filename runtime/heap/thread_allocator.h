// ThreadAllocator: one thread's supply of memory to allocate from.
//
// Draws *regions* from blocks that the thread owns: runs of free lines inside one page, zeroed
// and local. The inlined fast path (Mutator::Allocate) bumps through a region; this is what runs
// when it ends, or when an object is not small. Used by its thread, and by the collector on its
// behalf while the thread is stopped.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "runtime/heap/block_pool.h"
#include "runtime/swap/port.h"

namespace tandem::heap {

struct Region {
  uintptr_t start = 0;
  uintptr_t end = 0;
};

class ThreadAllocator {
 public:
  ThreadAllocator(Space& space, BlockPool& pool, swap::Port& port)
      : space_(space), pool_(pool), port_(port), cycle_(pool.cycle()) {}
  ~ThreadAllocator() { Retire(); }

  // A region with room for at least `bytes` (at most kSmallBytes); nothing when there is none.
  std::optional<Region> NextRegion(bool leaf, size_t bytes, Effort effort);
  // Memory for one object larger than a line that does not fit the current region, so that the
  // region need not be thrown away; from blocks that hold only such objects.
  std::optional<uintptr_t> AllocateOverflow(bool leaf, size_t bytes, Effort effort);
  // Memory for one object larger than kSmallBytes, zeroed; its first page is local. The caller
  // sets its bits.
  std::optional<uintptr_t> AllocateMedium(bool leaf, size_t bytes, Effort effort);
  std::optional<uintptr_t> AllocateLarge(bool leaf, size_t bytes);

  // From here on memory is born marked, but for regions that NextRegion handed out before: those
  // are the caller's to mark.
  void BeginMarking();
  // No more; gives all blocks back to be swept, and takes over the pool's cycle (block_pool.h).
  // Regions handed out before must not be used any more.
  void EndMarking();

 private:
  // A block being drawn from.
  struct Source {
    std::optional<BlockIndex> block;
    size_t next_line = 0;
    size_t zeroed_pages_end = 0;  // pages of the block below this, from next_line on, are zero
    Region region;                // only of the overflow sources
  };

  std::optional<Region> Draw(Source& source, BlockKind kind, size_t bytes, Effort effort,
                             bool empty_only);
  std::optional<Region> DrawFromBlock(Source& source, size_t bytes, Effort effort);
  static void UseLines(Block& block, size_t first, size_t count);
  bool PreparePage(Source& source, size_t page, Effort effort);
  void Retire();
  void Finish(const Region& region);
  void Drop(Source& source);

  Space& space_;
  BlockPool& pool_;
  swap::Port& port_;
  uint32_t cycle_;
  bool marking_ = false;
  std::array<Source, 2> small_;  // with references, leaves
  std::array<Source, 2> overflow_;
  std::array<Source, 2> medium_;
};

}  // namespace tandem::heap
