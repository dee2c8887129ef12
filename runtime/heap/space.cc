#include "runtime/heap/space.h"

namespace tandem::heap {

uintptr_t Space::FindObject(uintptr_t address) const {
  if (!blocks.Contains(address)) return 0;
  BlockIndex block = blocks.BlockOf(address);
  const BlockKind kind = blocks[block].kind.load(std::memory_order_acquire);
  if (kind == BlockKind::kFree) return 0;
  if (!IsShared(kind)) {
    if (kind == BlockKind::kLargeTail) block -= blocks[block].extent;
    const uintptr_t head = blocks.AddressOf(block);
    return tables.IsStart(head) ? head : 0;
  }
  const size_t granule = tables.GranuleOf(address);
  const bool small = kind == BlockKind::kSmall || kind == BlockKind::kSmallLeaf;
  const size_t span = small ? base::kPageSize / kGranuleBytes : kBlockGranules;
  const size_t lowest = granule & ~(span - 1);
  const size_t start = tables.FindStart(granule, lowest);
  if (start == SIZE_MAX) return 0;
  const size_t end = tables.FindEnd(start, lowest + span);
  if (end == SIZE_MAX || end < granule) return 0;
  return blocks.base() + (start << kGranuleShift);
}

}  // namespace tandem::heap
