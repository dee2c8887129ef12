// BlockTable: what the heap knows of each block of 64 KiB.
//
// Owned by the heap; reserved lazily. A block is *owned* while one thread's allocator draws from
// it. Who may write a record: the block pool, under its lock, when a block changes hands; the
// owner; the sweeper, for blocks that are in use and not owned. `kind` is read by tracers at any
// time.
#pragma once

#include <atomic>
#include <cstdint>

#include "runtime/base/os_memory.h"
#include "runtime/heap/layout.h"
#include "tandem/status.h"

namespace tandem::heap {

struct Block {
  // Release on change, acquire by whoever acts on the block's objects.
  std::atomic<BlockKind> kind{BlockKind::kFree};
  std::atomic<bool> owned{false};
  uint16_t free_lines = 0;  // how many bits are set in the map
  // Large: of a head, how many blocks the object takes; of a tail, how far back the head is.
  uint32_t extent = 0;
  // See block_pool.h. Relaxed: what it tells is ordered by the handshake that changes cycles.
  std::atomic<uint32_t> swept_cycle{0};
  uint64_t free_line_map[kBlockLines / 64] = {};  // at the last sweep, less what was handed out

  bool LineIsFree(size_t line) const { return (free_line_map[line / 64] >> (line % 64)) & 1; }
  // The 16 bits of a page's lines.
  uint16_t PageLines(size_t page) const {
    return static_cast<uint16_t>(free_line_map[page / 4] >> (page % 4 * 16));
  }
  bool PageIsFree(size_t page) const { return PageLines(page) == 0xffff; }
};

class BlockTable {
 public:
  static StatusOr<BlockTable> Create(uintptr_t heap_base, size_t blocks) {
    auto memory = base::OsMemory::Reserve(blocks * sizeof(Block), 0, "the block table");
    if (!memory.ok()) return memory.status();
    BlockTable table;
    table.memory_ = std::move(*memory);
    table.base_ = heap_base;
    table.count_ = blocks;
    return table;
  }

  // Anonymous memory is zero, which is a free block without anything.
  Block& operator[](BlockIndex b) const { return reinterpret_cast<Block*>(memory_.data())[b]; }
  size_t size() const { return count_; }

  uintptr_t base() const { return base_; }
  uintptr_t AddressOf(BlockIndex b) const { return base_ + (uintptr_t{b} << kBlockShift); }
  BlockIndex BlockOf(uintptr_t address) const {
    return static_cast<BlockIndex>((address - base_) >> kBlockShift);
  }
  bool Contains(uintptr_t address) const { return address - base_ < count_ << kBlockShift; }
  BlockKind KindAt(uintptr_t address) const {
    return (*this)[BlockOf(address)].kind.load(std::memory_order_acquire);
  }

 private:
  base::OsMemory memory_;
  uintptr_t base_ = 0;
  size_t count_ = 0;
};

}  // namespace tandem::heap
