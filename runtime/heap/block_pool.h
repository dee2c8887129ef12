// BlockPool: hands out blocks and takes them back.
//
// Knows which blocks are free, which have room left beside live objects, and how far the heap's
// range has been used. Far-aware: blocks whose holes lie on far pages are set aside and only
// handed out as a last resort, since allocating there costs a fetch. Any thread, under one lock
// that is held for the work of one block.
//
// Cycles. Each sweep has a number. A block carries the number of the sweep that last dealt with
// it, or, when an allocator claims it, the number that the claimer goes by. Allocators take over
// the new number when they retire their blocks at the end of marking; so a block with the old
// number was filled during (or before) marking and must be swept, one with the new number was
// claimed after and must not. The two must not mix: BeginSweep empties the lists before the first
// allocator retires, so that no block with the old number can be claimed by an allocator with the
// new one; and an allocator with the old number gets none that was listed since, for those hold
// objects that were born unmarked and would be swept.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <mutex>
#include <optional>
#include <vector>

#include "runtime/heap/space.h"
#include "tandem/status.h"

namespace tandem::heap {

enum class Effort : uint8_t {
  kCheap,       // only room that needs no fetch
  kLastResort,  // also holes of far pages and nearly full blocks
};

class BlockPool {
 public:
  explicit BlockPool(Space& space);

  // A block with room for objects of the kind, owned by the caller now. `empty_only`: one
  // without any live object. Nothing when the heap has no such block.
  std::optional<BlockIndex> Take(BlockKind kind, Effort effort, bool empty_only, uint32_t cycle);
  // `count` neighbouring free blocks, which become a large object of the kind.
  std::optional<BlockIndex> TakeLarge(BlockKind head_kind, uint32_t count, uint32_t cycle);
  // The owner draws no more from the block. Free lines left in its map are offered again as a
  // last resort, unless the block is to be swept first.
  void Release(BlockIndex block);

  // For the sweeper. BeginSweep starts a new cycle: it forgets all blocks with room; each swept
  // block is then either given back empty or, if it has room, offered again.
  void BeginSweep();
  uint32_t cycle() const { return cycle_.load(std::memory_order_acquire); }
  void AddFree(BlockIndex first, uint32_t count);
  void AddPartial(BlockIndex block);

  // Blocks below this have been in use at some time.
  BlockIndex used() const { return used_.load(std::memory_order_acquire); }

  // Why the last attempt to grow failed, if not for the heap's limit. Ok: it did not.
  Status GrowthTrouble() {
    std::lock_guard lock(mutex_);
    return growth_trouble_;
  }

  // What is free of the heap's limit, in whole blocks, 0 to 1.
  double FreeShare() {
    std::lock_guard lock(mutex_);
    const auto taken = static_cast<double>(used_.load(std::memory_order_relaxed) - free_count_);
    return 1 - taken / static_cast<double>(space_.blocks.size());
  }

  // Bytes handed out to allocators since the last ResetAllocated.
  void CountAllocated(size_t bytes) {
    allocated_bytes_.fetch_add(bytes, std::memory_order_relaxed);  // a statistic
  }
  uint64_t allocated_bytes() const { return allocated_bytes_.load(std::memory_order_relaxed); }
  void ResetAllocated() { allocated_bytes_.store(0, std::memory_order_relaxed); }

  uint64_t limit_bytes() const { return space_.blocks.size() * kBlockBytes; }

 private:
  bool HasCheapRoom(const Block& block, BlockIndex index) const;
  std::optional<BlockIndex> TakeFree();
  std::optional<BlockIndex> FindFreeRun(uint32_t count);
  bool Extend(BlockIndex end);
  void Claim(BlockIndex block, BlockKind kind, uint32_t cycle);
  void MakeEmpty(BlockIndex block);
  bool IsFree(BlockIndex b) const { return (free_[b / 64] >> (b % 64)) & 1; }
  void SetFree(BlockIndex b, bool free) {
    const uint64_t bit = uint64_t{1} << (b % 64);
    free_[b / 64] = free ? free_[b / 64] | bit : free_[b / 64] & ~bit;
  }

  Space& space_;
  std::mutex mutex_;
  std::vector<uint64_t> free_;  // a bit a block below used_
  uint32_t free_count_ = 0;
  BlockIndex free_hint_ = 0;
  Status growth_trouble_;
  std::array<std::vector<BlockIndex>, kSharedKinds> partial_;
  std::array<std::vector<BlockIndex>, kSharedKinds> last_resort_;
  std::atomic<uint32_t> cycle_{0};  // changes under the lock
  std::atomic<BlockIndex> used_{0};
  std::atomic<uint64_t> allocated_bytes_{0};
};

}  // namespace tandem::heap
