// Sweeper: frees what marking has not reached, without touching the heap's pages.
//
// A block is swept from its three bitmaps alone: an object that starts on an unmarked granule is
// dead; its bits go, its lines become free, pages without a live object are declared dead to the
// pager, which drops their copies on both sides. Runs on the collector's thread while mutators
// allocate; which blocks it must leave alone is told in block_pool.h.
#pragma once

#include <cstdint>

#include "runtime/heap/block_pool.h"

namespace tandem::heap {

struct SweepResult {
  uint64_t live_bytes = 0;   // in lines of blocks, and whole blocks of large objects
  uint64_t freed_bytes = 0;  // likewise
  uint64_t live_objects = 0;
  uint64_t dead_objects = 0;
  uint64_t dead_pages = 0;
};

class Sweeper {
 public:
  // `keep_dead`: never give dead pages and blocks out again (see HeapOptions::protect_dead).
  Sweeper(Space& space, BlockPool& pool, bool keep_dead)
      : space_(space), pool_(pool), keep_dead_(keep_dead) {}

  // Sweeps all blocks of the cycle that BlockPool::BeginSweep started.
  SweepResult Sweep();

 private:
  void SweepShared(BlockIndex index, Block& block, SweepResult& result);
  uint32_t SweepLarge(BlockIndex index, Block& block, SweepResult& result);

  Space& space_;
  BlockPool& pool_;
  const bool keep_dead_;
};

}  // namespace tandem::heap
