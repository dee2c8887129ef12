// ObjectGraph: the objects of a simulated heap: where they lie, and what they refer to.
//
// Objects are found by any granule of theirs; the tables for that are backed by memory only where
// there are objects, so a heap may be far larger than the machine. What the events say is believed:
// an object born where another one lies replaces it. One thread.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <vector>

#include "runtime/base/os_memory.h"
#include "runtime/heap/layout.h"
#include "runtime/swap/page_table.h"
#include "tandem/status.h"

namespace tandem::sim {

using swap::PageIndex;
using Granule = uint64_t;
using ObjectId = uint32_t;

inline constexpr ObjectId kNoObject = 0;
inline constexpr Granule kNullGranule = UINT64_MAX;
inline constexpr Granule kPageGranules = base::kPageSize / heap::kGranuleBytes;

struct Object {
  Granule granule = 0;
  uint64_t granules = 0;   // 0: there is no such object
  uint32_t marked_in = 0;  // the last cycle in which it was
  bool leaf = false;
  std::vector<Granule> words;  // behind the header: kNullGranule, or what they refer to

  PageIndex first_page() const { return granule / kPageGranules; }
  PageIndex last_page() const { return (granule + granules - 1) / kPageGranules; }
};

class ObjectGraph {
 public:
  static StatusOr<std::unique_ptr<ObjectGraph>> Create(uint64_t heap_bytes);

  // The object that the granule is part of.
  ObjectId Find(Granule granule) const {
    const uint32_t at = index()[granule / kPageGranules];
    return at == 0 ? kNoObject : pages_[at - 1].object[granule % kPageGranules];
  }
  // The object that begins there.
  ObjectId FindStart(Granule granule) const {
    const ObjectId id = Find(granule);
    return id != kNoObject && objects_[id].granule == granule ? id : kNoObject;
  }
  Object& at(ObjectId id) { return objects_[id]; }

  // Whether an object lies anywhere in the range.
  bool IsOccupied(Granule first, uint64_t count) const;
  void Add(Granule granule, uint64_t granules, bool leaf, uint32_t marked_in);
  // Returns what the word referred to before.
  Granule Store(Object& object, uint64_t word, Granule target);

  struct Swept {
    uint64_t freed_bytes = 0;
    uint64_t dead_pages = 0;
  };
  // Removes all objects that were not marked in the cycle, and tells the pages that are empty then.
  Swept Sweep(uint32_t cycle, const std::function<void(PageIndex)>& dead);

  uint64_t bytes() const { return bytes_; }  // of all objects

 private:
  struct Page {
    std::array<ObjectId, kPageGranules> object{};
    uint32_t objects = 0;
  };

  uint32_t* index() const { return reinterpret_cast<uint32_t*>(index_.data()); }
  Page& PageAt(PageIndex page);
  void Fill(const Object& object, ObjectId id);
  void Remove(ObjectId id);

  base::OsMemory index_;  // of each page: 1 + its number in pages_; 0: nothing was ever born there
  std::deque<Page> pages_;
  std::vector<Object> objects_{1};  // the first is kNoObject
  std::vector<ObjectId> free_;
  uint64_t bytes_ = 0;
};

}  // namespace tandem::sim
