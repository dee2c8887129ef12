// SideTables: all that the collector knows about objects, kept outside of them in local memory.
//
// Three bitmaps with a bit a granule: where objects start, where they end (their last granule),
// and which are marked. So an object's extent is known, a mark is tested or set, and a block is
// swept without touching the heap's pages, which may be far. Reserved lazily; owned by the heap.
//
// Threads. Starts and ends: written by the thread that owns the block for allocation, and by the
// sweeper for blocks that nobody owns. Marks: set by tracers and allocators atomically during
// marking, cleared by the sweeper. All accesses are relaxed: a mark or a start is acted on only
// by threads that learnt of the object through an acquire load of a reference or a handshake.
#pragma once

#include <cstddef>
#include <cstdint>

#include "runtime/base/os_memory.h"
#include "runtime/heap/layout.h"
#include "tandem/status.h"

namespace tandem::heap {

class SideTables {
 public:
  static StatusOr<SideTables> Create(uintptr_t heap_base, size_t heap_bytes);

  uint64_t* starts() const { return reinterpret_cast<uint64_t*>(starts_.data()); }
  uint64_t* ends() const { return reinterpret_cast<uint64_t*>(ends_.data()); }
  uint64_t* marks() const { return reinterpret_cast<uint64_t*>(marks_.data()); }

  // Where the table would begin if it covered the address space from zero. The heap's base is a
  // multiple of what a word of the table covers.
  uintptr_t Bias(const uint64_t* table) const {
    return reinterpret_cast<uintptr_t>(table) - (base_ >> (kGranuleShift + 6)) * sizeof(uint64_t);
  }

  size_t GranuleOf(uintptr_t address) const { return (address - base_) >> kGranuleShift; }

  static bool Test(const uint64_t* table, size_t granule) {
    return (__atomic_load_n(&table[granule >> 6], __ATOMIC_RELAXED) >> (granule & 63)) & 1;
  }

  bool IsMarked(uintptr_t object) const { return Test(marks(), GranuleOf(object)); }
  bool IsStart(uintptr_t object) const { return Test(starts(), GranuleOf(object)); }

  // Marks the object; true if this call did it. `object` is the address of its header.
  bool Mark(uintptr_t object) {
    const size_t granule = GranuleOf(object);
    uint64_t* word = &marks()[granule >> 6];
    const uint64_t bit = uint64_t{1} << (granule & 63);
    if ((__atomic_load_n(word, __ATOMIC_RELAXED) & bit) != 0) return false;
    return (__atomic_fetch_or(word, bit, __ATOMIC_RELAXED) & bit) == 0;
  }
  void PrefetchMark(uintptr_t object) const {
    __builtin_prefetch(&marks()[GranuleOf(object) >> 6]);
  }

  // Objects that start among the 64 granules from `granule` on, a multiple of 64, and are not
  // marked.
  uint64_t Unmarked(size_t granule) const {
    return __atomic_load_n(&starts()[granule >> 6], __ATOMIC_RELAXED) &
           ~__atomic_load_n(&marks()[granule >> 6], __ATOMIC_RELAXED);
  }

  // Marks all granules of a range: what is allocated there is born marked.
  void MarkRange(uintptr_t start, uintptr_t end);

  void AddObject(uintptr_t object, size_t bytes) {
    Set(starts(), GranuleOf(object));
    Set(ends(), GranuleOf(object + bytes) - 1);
  }

  // The granule of the last object start at or before `granule` and not before `lowest`;
  // SIZE_MAX if there is none.
  size_t FindStart(size_t granule, size_t lowest) const;
  // The granule of the first object end at or after `granule`, before `limit`; SIZE_MAX if none.
  size_t FindEnd(size_t granule, size_t limit) const;

  // Bytes of the tables that memory backs, at most, for a heap of which `used` bytes are in use.
  static size_t BytesFor(size_t used) { return 3 * used / (8 * kGranuleBytes); }

 private:
  static void Set(uint64_t* table, size_t granule) {
    const uint64_t word = __atomic_load_n(&table[granule >> 6], __ATOMIC_RELAXED);
    __atomic_store_n(&table[granule >> 6], word | uint64_t{1} << (granule & 63), __ATOMIC_RELAXED);
  }

  uintptr_t base_ = 0;
  base::OsMemory starts_, ends_, marks_;
};

}  // namespace tandem::heap
