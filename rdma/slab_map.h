// SlabMap: which memory server's slab holds the far copy of which page of one heap.
//
// Slabs are borrowed in order as the heap grows; page p lives at offset p % kSlabPages of slab
// number p / kSlabPages. Grow is called by one thread at a time; FarAddressOf by any thread, for
// pages below what Grow has covered (the page table's `used` bound publishes that).
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "rdma/fabric.h"
#include "runtime/base/os_memory.h"

namespace tandem::rdma {

class SlabMap {
 public:
  static constexpr uint64_t kSlabPages = 16384;  // 64 MiB

  SlabMap(Fabric& fabric, uint64_t heap_pages)
      : fabric_(fabric), slabs_((heap_pages + kSlabPages - 1) / kSlabPages) {}

  // Borrows the slabs that pages [0, end) need.
  Status Grow(uint64_t end) {
    while (lent_ * kSlabPages < end) {
      auto slab = fabric_.LendSlab(kSlabPages * base::kPageSize);
      if (!slab.ok()) return slab.status();
      slabs_[lent_++] = *slab;
    }
    return Status::Ok();
  }

  FarAddress FarAddressOf(uint64_t page) const {
    return {slabs_[page / kSlabPages], (page % kSlabPages) * base::kPageSize};
  }

  // The memory server that holds the page, and what is known to be wrong with it: see Fabric.
  const char* ServerOf(uint64_t page) const { return fabric_.ServerOf(FarAddressOf(page)); }
  const char* TroubleAt(uint64_t page) const { return fabric_.TroubleAt(FarAddressOf(page)); }

  // The content of these pages is worthless.
  void Discard(uint64_t first, uint64_t count) {
    while (count > 0) {
      const uint64_t n = std::min(count, kSlabPages - first % kSlabPages);
      fabric_.Discard(FarAddressOf(first), n * base::kPageSize);
      first += n;
      count -= n;
    }
  }

 private:
  Fabric& fabric_;
  std::vector<uint32_t> slabs_;  // sized once: readers need no lock
  uint64_t lent_ = 0;
};

}  // namespace tandem::rdma
