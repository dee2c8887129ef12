// Trap: the SIGBUS handler that serves accesses to far pages which no barrier announced, and stores
// to pages that are protected for a moment while others around them leave.
//
// The only global state of the runtime: a fixed table of the process' pagers, and one handler
// installed with the first of them. A fault outside their heaps goes to the handler that was
// there before. Add and Remove: any thread, not from signal handlers.
#pragma once

#include "tandem/status.h"

namespace tandem::swap {

class Pager;

class TrapRegistry {
 public:
  static constexpr int kMaxPagers = 64;

  static Status Add(Pager& pager);
  static void Remove(Pager& pager);
};

}  // namespace tandem::swap
