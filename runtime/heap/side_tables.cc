#include "runtime/heap/side_tables.h"

#include <sys/mman.h>

#include <bit>

namespace tandem::heap {

StatusOr<SideTables> SideTables::Create(uintptr_t heap_base, size_t heap_bytes) {
  const size_t bytes = heap_bytes / (8 * kGranuleBytes);
  SideTables tables;
  tables.base_ = heap_base;
  for (base::OsMemory* table : {&tables.starts_, &tables.ends_, &tables.marks_}) {
    auto memory = base::OsMemory::Reserve(bytes, 0, "the collector's side tables");
    if (!memory.ok()) return memory.status();
    *table = std::move(*memory);
    // Dense and hit at random while marking: large pages save most of the address translation.
    madvise(table->data(), table->size(), MADV_HUGEPAGE);
  }
  return tables;
}

void SideTables::MarkRange(uintptr_t start, uintptr_t end) {
  size_t granule = GranuleOf(start);
  const size_t limit = GranuleOf(end);
  while (granule < limit) {
    const size_t bit = granule & 63;
    const size_t count = std::min(limit - granule, 64 - bit);
    const uint64_t mask = (count == 64 ? ~uint64_t{0} : (uint64_t{1} << count) - 1) << bit;
    __atomic_fetch_or(&marks()[granule >> 6], mask, __ATOMIC_RELAXED);
    granule += count;
  }
}

size_t SideTables::FindStart(size_t granule, size_t lowest) const {
  size_t word = granule >> 6;
  uint64_t bits =
      __atomic_load_n(&starts()[word], __ATOMIC_RELAXED) & (~uint64_t{0} >> (63 - (granule & 63)));
  while (bits == 0) {
    if (word <= lowest >> 6) return SIZE_MAX;
    bits = __atomic_load_n(&starts()[--word], __ATOMIC_RELAXED);
  }
  const size_t found = (word << 6) + 63 - static_cast<size_t>(std::countl_zero(bits));
  return found >= lowest ? found : SIZE_MAX;
}

size_t SideTables::FindEnd(size_t granule, size_t limit) const {
  size_t word = granule >> 6;
  uint64_t bits =
      __atomic_load_n(&ends()[word], __ATOMIC_RELAXED) & (~uint64_t{0} << (granule & 63));
  while (bits == 0) {
    if (++word << 6 >= limit) return SIZE_MAX;
    bits = __atomic_load_n(&ends()[word], __ATOMIC_RELAXED);
  }
  const size_t found = (word << 6) + static_cast<size_t>(std::countr_zero(bits));
  return found < limit ? found : SIZE_MAX;
}

}  // namespace tandem::heap
