// What the pager tells the floors above it, which it knows nothing of.
//
// Observers are called wherever the pager runs, the SIGBUS handler included: they are
// async-signal-safe, touch no heap memory, wait for nothing and take no lock.
#pragma once

#include <cstddef>

#include "runtime/swap/page_table.h"

namespace tandem::swap {

// The accesses of one thread, in their order. Belongs to the thread's Port, and is called on that
// thread only, never while it is being called already. It may post reads (Arrivals::Post).
class AccessObserver {
 public:
  virtual ~AccessObserver() = default;

  // The thread found `page` far. Its read is posted already, so what takes time here is hidden
  // behind it.
  virtual void OnMiss(PageIndex page) = 0;
  // The thread is the first to touch a page that had come by Purpose::kPrefetch.
  virtual void OnHit(PageIndex page) = 0;
};

// What becomes of the pages that were posted with Purpose::kPrefetch: each ends as exactly one of
// these. Any thread.
class EarlyObserver {
 public:
  virtual ~EarlyObserver() = default;

  virtual void OnUsed(size_t pages) = 0;     // a mutator touched them
  virtual void OnWasted(size_t pages) = 0;   // they left or died untouched
  virtual void OnDropped(size_t pages) = 0;  // they were given up on their way
};

}  // namespace tandem::swap
