#include "runtime/heap/block_pool.h"

#include <algorithm>
#include <bit>

#include "runtime/base/check.h"

namespace tandem::heap {
namespace {

// A block with fewer free lines than this is not worth an allocator's attention.
constexpr uint16_t kFewLines = 16;

size_t KindIndex(BlockKind kind) { return static_cast<size_t>(kind); }

}  // namespace

BlockPool::BlockPool(Space& space) : space_(space) {}

bool BlockPool::HasCheapRoom(const Block& block, BlockIndex index) const {
  const swap::PageIndex first = uint64_t{index} * kBlockPages;
  for (size_t page = 0; page < kBlockPages; ++page) {
    if (block.PageLines(page) == 0) continue;
    if (space_.pager.IsLocal(first + page)) return true;
    if (block.PageIsFree(page) && space_.pager.IsWorthless(first + page)) return true;
  }
  return false;
}

std::optional<BlockIndex> BlockPool::Take(BlockKind kind, Effort effort, bool empty_only,
                                          uint32_t cycle) {
  std::lock_guard lock(mutex_);
  // What is listed belongs to the current cycle: see block_pool.h.
  const bool listed = cycle == cycle_.load(std::memory_order_relaxed);
  if (listed && !empty_only) {
    auto& partial = partial_[KindIndex(kind)];
    while (!partial.empty()) {
      const BlockIndex block = partial.back();
      partial.pop_back();
      if (HasCheapRoom(space_.blocks[block], block)) {
        Claim(block, kind, cycle);
        return block;
      }
      last_resort_[KindIndex(kind)].push_back(block);
    }
  }
  if (auto block = TakeFree()) {
    MakeEmpty(*block);
    Claim(*block, kind, cycle);
    return block;
  }
  if (listed && effort == Effort::kLastResort) {
    auto& rest = last_resort_[KindIndex(kind)];
    if (!rest.empty()) {
      const BlockIndex block = rest.back();
      rest.pop_back();
      Claim(block, kind, cycle);
      return block;
    }
  }
  return std::nullopt;
}

std::optional<BlockIndex> BlockPool::TakeLarge(BlockKind head_kind, uint32_t count,
                                               uint32_t cycle) {
  std::lock_guard lock(mutex_);
  auto first = FindFreeRun(count);
  if (!first) return std::nullopt;
  for (BlockIndex b = *first; b < *first + count; ++b) {
    SetFree(b, false);
    Block& block = space_.blocks[b];
    block.swept_cycle.store(cycle, std::memory_order_relaxed);
    block.free_lines = 0;
    block.extent = b == *first ? count : b - *first;
    block.kind.store(b == *first ? head_kind : BlockKind::kLargeTail, std::memory_order_release);
  }
  free_count_ -= count;
  return first;
}

void BlockPool::Release(BlockIndex index) {
  std::lock_guard lock(mutex_);
  Block& block = space_.blocks[index];
  // Release: the sweeper, which acquires, sees all that the owner did to the block.
  block.owned.store(false, std::memory_order_release);
  if (block.free_lines >= kFewLines &&
      block.swept_cycle.load(std::memory_order_relaxed) == cycle_.load(std::memory_order_relaxed)) {
    last_resort_[KindIndex(block.kind.load(std::memory_order_relaxed))].push_back(index);
  }
}

void BlockPool::BeginSweep() {
  std::lock_guard lock(mutex_);
  for (auto& list : partial_) list.clear();
  for (auto& list : last_resort_) list.clear();
  cycle_.fetch_add(1);
}

void BlockPool::AddFree(BlockIndex first, uint32_t count) {
  std::lock_guard lock(mutex_);
  for (BlockIndex b = first; b < first + count; ++b) {
    space_.blocks[b].kind.store(BlockKind::kFree, std::memory_order_release);
    SetFree(b, true);
  }
  free_count_ += count;
  free_hint_ = std::min(free_hint_, first);
}

void BlockPool::AddPartial(BlockIndex index) {
  std::lock_guard lock(mutex_);
  const Block& block = space_.blocks[index];
  auto& list = block.free_lines >= kFewLines ? partial_ : last_resort_;
  list[KindIndex(block.kind.load(std::memory_order_relaxed))].push_back(index);
}

std::optional<BlockIndex> BlockPool::TakeFree() {
  if (free_count_ == 0) {
    const BlockIndex block = used_.load(std::memory_order_relaxed);  // written under the lock
    if (!Extend(block + 1)) return std::nullopt;
    return block;
  }
  // Lowest address first: keeps the heap dense.
  for (size_t word = free_hint_ / 64; word < free_.size(); ++word) {
    if (free_[word] == 0) continue;
    const auto block = static_cast<BlockIndex>(word * 64 + std::countr_zero(free_[word]));
    free_hint_ = block;
    SetFree(block, false);
    --free_count_;
    return block;
  }
  base::Fatal("the count of free blocks is wrong");
}

std::optional<BlockIndex> BlockPool::FindFreeRun(uint32_t count) {
  const BlockIndex used = used_.load(std::memory_order_relaxed);  // written under the lock
  uint32_t run = 0;
  if (free_count_ >= count) {
    for (BlockIndex b = free_hint_; b < used; ++b) {
      if (b % 64 == 0 && free_[b / 64] == 0) {
        b += 63;
        run = 0;
        continue;
      }
      run = IsFree(b) ? run + 1 : 0;
      if (run == count) return b + 1 - count;
    }
  }
  // Free blocks at the end of the used range count too.
  run = 0;
  while (run < used && IsFree(used - run - 1)) ++run;
  run = std::min(run, count);
  const uint32_t missing = count - run;
  if (!Extend(used + missing)) return std::nullopt;
  for (BlockIndex b = used; b < used + missing; ++b) SetFree(b, true);
  free_count_ += missing;
  return used - run;
}

bool BlockPool::Extend(BlockIndex end) {
  const bool within_limit = end <= space_.blocks.size();
  growth_trouble_ = within_limit ? space_.pager.Extend(uint64_t{end} * kBlockPages) : Status::Ok();
  if (!within_limit || !growth_trouble_.ok()) return false;
  free_.resize((end + 63) / 64);
  used_.store(end, std::memory_order_release);
  return true;
}

void BlockPool::MakeEmpty(BlockIndex index) {
  Block& block = space_.blocks[index];
  for (uint64_t& word : block.free_line_map) word = ~uint64_t{0};
  block.free_lines = kBlockLines;
}

void BlockPool::Claim(BlockIndex index, BlockKind kind, uint32_t cycle) {
  Block& block = space_.blocks[index];
  block.swept_cycle.store(cycle, std::memory_order_relaxed);
  block.owned.store(true, std::memory_order_relaxed);
  block.kind.store(kind, std::memory_order_release);
}

}  // namespace tandem::heap
