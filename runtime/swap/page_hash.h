// PageHash: 64 bits of the content of a page (XXH3), for clean and damaged pages alike.
//
// Never returns the two values that PageTable::hash gives another meaning. Any thread;
// async-signal-safe.
#pragma once

#if defined(__x86_64__)
#include <xxh_x86dispatch.h>  // XXH3_64bits with what this processor has: a quarter of the time
#else
#include <xxhash.h>
#endif

#include <cstdint>

#include "runtime/base/os_memory.h"
#include "runtime/swap/page_table.h"

namespace tandem::swap {

inline uint64_t HashPage(const void* page) {
  const uint64_t h = XXH3_64bits(page, base::kPageSize);
  return h > kDeadContent ? h : h + 2;
}

}  // namespace tandem::swap
