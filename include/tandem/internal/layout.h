// What the inlined fast paths and the runtime must agree on. Not for users.
//
// Everything in include/tandem/internal/ is the lowest floor of the house: any floor may include
// it, and it includes nothing but the standard library.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tandem {

class Visitor;

namespace internal {

inline constexpr unsigned kPageShift = 12;
inline constexpr size_t kPageBytes = size_t{1} << kPageShift;

// Objects start at granules; side tables have one bit a granule.
inline constexpr unsigned kGranuleShift = 4;
inline constexpr size_t kGranuleBytes = size_t{1} << kGranuleShift;

// Objects up to this size, header included, are bump-allocated inside one page and never cross
// a page boundary: one test of one state byte covers all of such an object.
inline constexpr size_t kSmallBytes = 2048;

// What the heap knows of a type. One immutable object a type, alive as long as its heaps.
struct TypeInfo {
  const char* name;
  void (*trace)(const void* object, Visitor* visitor);  // null: a leaf, has no references
  void (*finalize)(void* object);                       // null: dies silently
};

// The 8 bytes before every object:
//
//   | 63..48  size in granules, header included; 0: more than fits | 47..0  TypeInfo* |
//
// Written once by the allocating thread before the object is published, never changed. Zero
// means "not initialised yet": such an object has no references.
using Header = uint64_t;
inline constexpr size_t kHeaderBytes = sizeof(Header);
inline constexpr uint64_t kTypeMask = (uint64_t{1} << 48) - 1;

inline Header MakeHeader(const TypeInfo* type, size_t bytes) {
  const uint64_t granules = bytes >> kGranuleShift;
  return (reinterpret_cast<uintptr_t>(type) & kTypeMask) |
         (granules <= 0xffff ? granules << 48 : 0);
}
inline bool IsSmallHeader(Header h) {
  const uint64_t granules = h >> 48;
  return granules != 0 && granules <= kSmallBytes / kGranuleBytes;
}
inline const TypeInfo* TypeOfHeader(Header h) {
  return reinterpret_cast<const TypeInfo*>(h & kTypeMask);
}

// Free memory that only one thread allocates from. A thread has one for objects with references
// and one for leaves, since the collector never looks at a page of leaves.
struct AllocationRegion {
  uintptr_t cursor = 0;
  uintptr_t limit = 0;
};

// The size of an object with `payload` bytes: with its header, in whole granules.
inline constexpr size_t ObjectBytes(size_t payload) {
  return (payload + kHeaderBytes + kGranuleBytes - 1) & ~(kGranuleBytes - 1);
}

}  // namespace internal
}  // namespace tandem
