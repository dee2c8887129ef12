// How the heap's address range is divided, and the arithmetic on it. Pure.
//
//   heap   = blocks of 64 KiB, each of one kind
//   block  = 16 pages, the unit of swapping
//   page   = 16 lines of 256 bytes, the unit of reuse
//   line   = 16 granules of 16 bytes, the unit of object placement and of the side tables
#pragma once

#include <cstddef>
#include <cstdint>

#include "runtime/base/os_memory.h"
#include "tandem/internal/layout.h"

namespace tandem::heap {

using internal::kGranuleBytes;
using internal::kGranuleShift;
using internal::kSmallBytes;

inline constexpr size_t kBlockShift = 16;
inline constexpr size_t kBlockBytes = size_t{1} << kBlockShift;
inline constexpr size_t kBlockPages = kBlockBytes / base::kPageSize;
inline constexpr size_t kLineBytes = 256;
inline constexpr size_t kPageLines = base::kPageSize / kLineBytes;
inline constexpr size_t kBlockLines = kBlockBytes / kLineBytes;
inline constexpr size_t kBlockGranules = kBlockBytes / kGranuleBytes;
inline constexpr size_t kBlockWords = kBlockGranules / 64;  // of a bitmap with a bit a granule
inline constexpr size_t kPageWords = kBlockWords / kBlockPages;

// Objects up to this size live in blocks of objects (small ones inside one page, medium ones on
// pages of their own); larger ones take whole blocks.
inline constexpr size_t kMediumBytes = 32 * 1024;

using BlockIndex = uint32_t;

// References hold the address behind the header.
inline constexpr uintptr_t HeaderOf(uintptr_t reference) {
  return reference - internal::kHeaderBytes;
}

// What a block is used for.
enum class BlockKind : uint8_t {
  kFree,
  kSmall,      // small objects with references
  kSmallLeaf,  // small objects without
  kMedium,     // medium objects, page-aligned
  kMediumLeaf,
  kLargeHead,  // first block of a large object
  kLargeLeafHead,
  kLargeTail,  // the others
};
inline constexpr size_t kSharedKinds = 5;  // kinds up to kMediumLeaf

inline constexpr bool IsLeaf(BlockKind k) {
  return k == BlockKind::kSmallLeaf || k == BlockKind::kMediumLeaf ||
         k == BlockKind::kLargeLeafHead;
}
inline constexpr bool IsLargeHead(BlockKind k) {
  return k == BlockKind::kLargeHead || k == BlockKind::kLargeLeafHead;
}
inline constexpr bool IsShared(BlockKind k) {
  return k >= BlockKind::kSmall && k <= BlockKind::kMediumLeaf;
}

}  // namespace tandem::heap
