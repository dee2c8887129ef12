// Space: the heap's range with all that describes it, as the parts of the heap share it.
//
// One a heap. The pager is below and owned by the heap object; the rest is here.
#pragma once

#include <cstdint>

#include "runtime/heap/block_table.h"
#include "runtime/heap/side_tables.h"
#include "runtime/swap/pager.h"

namespace tandem::heap {

struct Space {
  swap::Pager& pager;
  BlockTable blocks;
  SideTables tables;

  static StatusOr<Space> Create(swap::Pager& pager) {
    const uintptr_t base = pager.table().base();
    const size_t bytes = pager.table().pages() * base::kPageSize;
    auto blocks = BlockTable::Create(base, bytes / kBlockBytes);
    if (!blocks.ok()) return blocks.status();
    auto tables = SideTables::Create(base, bytes);
    if (!tables.ok()) return tables.status();
    return Space{pager, std::move(*blocks), std::move(*tables)};
  }

  swap::PageIndex PageOf(uintptr_t address) const {
    return (address - blocks.base()) >> base::kPageShift;
  }

  // The object that `address` points to or into: the address of its header, 0 if there is none.
  // Touches no heap page. Any thread; objects that other threads are just allocating may be
  // missed or found.
  uintptr_t FindObject(uintptr_t address) const;
};

}  // namespace tandem::heap
