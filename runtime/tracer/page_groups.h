// PageGroups: grey objects, grouped by the page that they are on.
//
// Two bitmaps, reserved lazily: a bit a granule for each grey object, and a bit a page that has
// any. So memory is bounded by the heap's size, whatever the graph; adding an object that is in
// already changes nothing; and pages are found in address order. Used by one tracer.
#pragma once

#include <bit>
#include <cstdint>
#include <string>

#include "runtime/base/os_memory.h"
#include "runtime/heap/layout.h"
#include "runtime/swap/page_table.h"
#include "tandem/status.h"

namespace tandem::tracer {

class PageGroups {
 public:
  static StatusOr<PageGroups> Create(uintptr_t base, size_t pages) {
    auto objects = base::OsMemory::Reserve(pages * kWordsPerPage * sizeof(uint64_t), 0, "greys");
    if (!objects.ok()) return objects.status();
    auto occupied = base::OsMemory::Reserve((pages / 64 + 1) * sizeof(uint64_t), 0, "grey pages");
    if (!occupied.ok()) return occupied.status();
    PageGroups groups;
    groups.base_ = base;
    groups.pages_ = pages;
    groups.object_memory_ = std::move(*objects);
    groups.page_memory_ = std::move(*occupied);
    return groups;
  }

  // Adds the object whose header is at `object`.
  void Add(uintptr_t object) {
    const size_t granule = (object - base_) >> heap::kGranuleShift;
    objects()[granule / 64] |= uint64_t{1} << (granule % 64);
    const swap::PageIndex page = granule / (kWordsPerPage * 64);
    const uint64_t bit = uint64_t{1} << (page % 64);
    occupied_ += (occupied()[page / 64] & bit) == 0;
    occupied()[page / 64] |= bit;
  }

  // Add comes soon.
  void Prefetch(uintptr_t object) const {
    __builtin_prefetch(&objects()[((object - base_) >> heap::kGranuleShift) / 64], 1);
  }

  bool Has(swap::PageIndex page) const { return (occupied()[page / 64] >> (page % 64)) & 1; }

  // Removes the page's group, calling visit(object) for each of its objects in address order.
  template <typename Visit>
  void Take(swap::PageIndex page, Visit&& visit) {
    if (!Has(page)) return;
    for (size_t w = page * kWordsPerPage; w < (page + 1) * kWordsPerPage; ++w) {
      for (uint64_t bits = std::exchange(objects()[w], 0); bits != 0; bits &= bits - 1) {
        const size_t granule = w * 64 + static_cast<size_t>(std::countr_zero(bits));
        visit(base_ + (granule << heap::kGranuleShift));
      }
    }
    occupied()[page / 64] &= ~(uint64_t{1} << (page % 64));
    --occupied_;
  }

  // The first page at or after `from` that has a group, going round; pages() if there is none.
  swap::PageIndex Next(swap::PageIndex from) const {
    if (occupied_ == 0) return pages_;
    const size_t words = pages_ / 64 + 1;
    if (from >= pages_) from = 0;
    uint64_t word = occupied()[from / 64] & (~uint64_t{0} << (from % 64));
    for (size_t i = from / 64;; word = occupied()[i]) {
      if (word != 0) return i * 64 + static_cast<size_t>(std::countr_zero(word));
      i = (i + 1) % words;
    }
  }

  size_t occupied_pages() const { return occupied_; }
  size_t pages() const { return pages_; }

 private:
  static constexpr size_t kWordsPerPage = base::kPageSize / heap::kGranuleBytes / 64;

  uint64_t* objects() const { return reinterpret_cast<uint64_t*>(object_memory_.data()); }
  uint64_t* occupied() const { return reinterpret_cast<uint64_t*>(page_memory_.data()); }

  uintptr_t base_ = 0;
  size_t pages_ = 0;
  size_t occupied_ = 0;
  base::OsMemory object_memory_, page_memory_;
};

}  // namespace tandem::tracer
