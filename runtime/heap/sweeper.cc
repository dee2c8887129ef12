#include "runtime/heap/sweeper.h"

#include <bit>

#include "runtime/heap/block_sweep.h"

namespace tandem::heap {

SweepResult Sweeper::Sweep() {
  SweepResult result;
  const uint32_t cycle = pool_.cycle();
  const BlockIndex used = pool_.used();
  for (BlockIndex b = 0; b < used;) {
    Block& block = space_.blocks[b];
    const BlockKind kind = block.kind.load(std::memory_order_acquire);
    uint32_t step = 1;
    if (IsLargeHead(kind)) {
      step = block.extent;
      if (block.swept_cycle.load(std::memory_order_relaxed) != cycle)
        step = SweepLarge(b, block, result);
    } else if (IsShared(kind) && !block.owned.load(std::memory_order_acquire) &&
               block.swept_cycle.load(std::memory_order_relaxed) != cycle) {
      SweepShared(b, block, result);
    }
    b += step;
  }
  return result;
}

void Sweeper::SweepShared(BlockIndex index, Block& block, SweepResult& result) {
  const size_t first_word = size_t{index} * kBlockWords;
  uint64_t* starts = space_.tables.starts() + first_word;
  uint64_t* ends = space_.tables.ends() + first_word;
  uint64_t* marks = space_.tables.marks() + first_word;
  BlockSweep sweep;
  size_t free_lines = 0;
  uint64_t free_map[kBlockLines / 64] = {};
  for (size_t w = 0; w < kBlockWords; ++w) {
    const uint64_t old_starts = starts[w];
    const BlockSweep::Word live =
        sweep.Next(old_starts, ends[w], __atomic_load_n(&marks[w], __ATOMIC_RELAXED));
    result.live_objects += static_cast<uint64_t>(std::popcount(live.starts));
    result.dead_objects += static_cast<uint64_t>(std::popcount(old_starts & ~live.starts));
    __atomic_store_n(&starts[w], live.starts, __ATOMIC_RELAXED);
    __atomic_store_n(&ends[w], live.ends, __ATOMIC_RELAXED);
    __atomic_store_n(&marks[w], 0, __ATOMIC_RELAXED);
    // Four lines of 16 granules a word.
    for (size_t line = 0; line < 4; ++line) {
      if (((live.covered >> (line * 16)) & 0xffff) != 0) continue;
      const size_t l = w * 4 + line;
      free_map[l / 64] |= uint64_t{1} << (l % 64);
      ++free_lines;
    }
  }
  result.live_bytes += (kBlockLines - free_lines) * kLineBytes;
  result.freed_bytes += free_lines * kLineBytes;
  for (size_t i = 0; i < std::size(free_map); ++i) block.free_line_map[i] = free_map[i];
  block.free_lines = static_cast<uint16_t>(free_lines);
  block.swept_cycle.store(pool_.cycle(), std::memory_order_relaxed);

  const swap::PageIndex first_page = uint64_t{index} * kBlockPages;
  for (size_t page = 0; page < kBlockPages;) {
    size_t run = 0;
    while (page + run < kBlockPages && block.PageIsFree(page + run)) ++run;
    if (run > 0) {
      space_.pager.MarkDead(first_page + page, run);
      result.dead_pages += run;
    }
    page += run + 1;
  }
  if (keep_dead_) return;
  if (free_lines == kBlockLines) {
    pool_.AddFree(index, 1);
  } else if (free_lines > 0) {
    pool_.AddPartial(index);
  }
}

uint32_t Sweeper::SweepLarge(BlockIndex index, Block& block, SweepResult& result) {
  const uint32_t extent = block.extent;
  const uint64_t bytes = uint64_t{extent} * kBlockBytes;
  const uintptr_t object = space_.blocks.AddressOf(index);
  const size_t granule = space_.tables.GranuleOf(object);
  const uint64_t mark = uint64_t{1} << (granule & 63);
  block.swept_cycle.store(pool_.cycle(), std::memory_order_relaxed);
  uint64_t* mark_word = &space_.tables.marks()[granule >> 6];
  if ((__atomic_load_n(mark_word, __ATOMIC_RELAXED) & mark) != 0) {
    __atomic_fetch_and(mark_word, ~mark, __ATOMIC_RELAXED);
    ++result.live_objects;
    result.live_bytes += bytes;
    return extent;
  }
  if (!space_.tables.IsStart(object)) return extent;  // found dead before, and kept
  ++result.dead_objects;
  result.freed_bytes += bytes;
  result.dead_pages += uint64_t{extent} * kBlockPages;
  const size_t end = space_.tables.FindEnd(granule, granule + extent * kBlockGranules);
  __atomic_store_n(&space_.tables.starts()[granule >> 6], 0, __ATOMIC_RELAXED);
  if (end != SIZE_MAX) __atomic_store_n(&space_.tables.ends()[end >> 6], 0, __ATOMIC_RELAXED);
  space_.pager.MarkDead(uint64_t{index} * kBlockPages, uint64_t{extent} * kBlockPages);
  if (!keep_dead_) pool_.AddFree(index, extent);
  return extent;
}

}  // namespace tandem::heap
