// Prefetcher: which far pages to bring in before anybody asks. A strategy; pure decisions.
//
// It is told each access of one thread that found a page far (a *miss*) or was the first to a page
// that had been prefetched (a *hit*), in their order, and names pages that should follow. It sees
// no page and posts no read, so it is tested on sequences of accesses alone. Whoever asks it drops
// what is local already, outside the heap, or more than throttle.h allows.
//
// One instance a thread, which sees the accesses of its thread only; never called by two threads.
// OnAccess allocates nothing, takes no lock and makes no system call: fault handlers call it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/status.h"

namespace tandem::prefetch {

// The number of a page in its heap. Signed, for the sake of distances.
using Page = int64_t;

struct Access {
  Page page = 0;     // from 0 to 2^48: a prefetcher may add a distance to it some dozen times
  bool hit = false;  // of a prefetched page; else a miss
};

class Prefetcher {
 public:
  // The most pages that one call may name.
  static constexpr size_t kMaxPages = 32;

  virtual ~Prefetcher() = default;

  // Writes the pages to prefetch, best first, and returns their number. They are different from
  // each other and from the page accessed, and none is negative; they may be beyond the heap's end.
  virtual size_t OnAccess(const Access& access, std::span<Page, kMaxPages> out) = 0;
};

// Prefetchers by name: prefetchers.cc has the table. Null without an error for `none`. Errors
// list what is valid.
StatusOr<std::unique_ptr<Prefetcher>> MakePrefetcher(std::string_view name);

struct PrefetcherDescription {
  std::string name;
  std::string summary;
};
std::vector<PrefetcherDescription> ListPrefetchers();

}  // namespace tandem::prefetch
