// FixedReadahead: the aligned block of sixteen pages around every miss, whatever came of the last.
//
// What a pager with larger pages would do, and the yardstick for prefetchers that adapt: it hides
// the most latency wherever neighbours are used together, and wastes fifteen pages in sixteen where
// they are not. Without state.
#pragma once

#include "runtime/prefetch/prefetcher.h"

namespace tandem::prefetch {

class FixedReadahead final : public Prefetcher {
 public:
  static constexpr Page kBlock = 16;

  size_t OnAccess(const Access& access, std::span<Page, kMaxPages> out) override {
    if (access.hit) return 0;
    const Page first = access.page - access.page % kBlock;
    size_t n = 0;
    // What follows the miss, then what lies before it: most programs go up.
    for (Page page = access.page + 1; page < first + kBlock; ++page) out[n++] = page;
    for (Page page = access.page - 1; page >= first; --page) out[n++] = page;
    return n;
  }
};

}  // namespace tandem::prefetch
