// The file of a recording, version 1. Numbers are little-endian.
//
//   header   "TANDEMAR", u32 version, u32 page size, u64 heap_bytes
//   events   a byte Kind, then its fields as varints (LEB128); places as signed distances (zigzag)
//            from the last place of the same sort, since most are near
//   footer   u64 number of events, u64 XXH3 of header and events, "TANDEMEN"
//
//   kAccess  distance of the object from the last one used, index
//   kRepeat  count
//   kBirth   distance of the object from the end of the last one born, 2 * count + leaf
//   kStore   distance of the object from the last one used, index, 0 or 1 + zigzag of the
//            distance of the target from the object
//   kRange, kHint   index, count
//   kThread  index
//   kCycle, kRoots  their number; for each its distance from the one before
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "runtime/record/event.h"

namespace tandem::record {

inline constexpr char kMagic[] = "TANDEMAR";
inline constexpr char kEndMagic[] = "TANDEMEN";
inline constexpr size_t kMagicBytes = 8;
inline constexpr uint32_t kVersion = 1;

struct Header {
  char magic[kMagicBytes];
  uint32_t version;
  uint32_t page_bytes;
  uint64_t heap_bytes;
};
struct Footer {
  uint64_t events;
  uint64_t hash;
  char magic[kMagicBytes];
};
static_assert(sizeof(Header) == 24 && sizeof(Footer) == 24);

// What distances are measured from: the same for who writes and who reads.
struct Places {
  uint64_t used = 0;
  uint64_t born = 0;
};

inline uint64_t ZigZag(uint64_t to, uint64_t from) {
  const auto distance = static_cast<int64_t>(to - from);
  return (static_cast<uint64_t>(distance) << 1) ^ static_cast<uint64_t>(distance >> 63);
}
inline uint64_t UnZigZag(uint64_t code, uint64_t from) {
  return from + ((code >> 1) ^ (~(code & 1) + 1));
}

}  // namespace tandem::record
