// Replacement: which local pages leave next. A strategy; pure decisions over the page table.
//
// Called by one evictor at a time. Moves the pages it chooses from LOCAL to LEAVING (transition
// c of page_state.h), which is the choice.
#pragma once

#include <memory>
#include <span>

#include "runtime/swap/page_table.h"

namespace tandem::swap {

struct Victim {
  PageIndex page = 0;
  PageState seen = kLocal;  // its state when it was chosen
};

class Replacement {
 public:
  virtual ~Replacement() = default;

  // Claims up to victims.size() pages and returns how many; 0 if it looked at every page twice
  // and none may leave. Neighbouring pages are neighbours in the result where possible.
  virtual size_t Select(PageTable& table, std::span<Victim> victims) = 0;
};

// Second chance (CLOCK) over the software accessed bit: the hand passes over the pages in address
// order, marks touched ones untouched and takes those that still are when it comes again. Dead
// pages, prefetched pages that nobody used and pages that only the collector wanted go at once.
class ClockReplacement final : public Replacement {
 public:
  size_t Select(PageTable& table, std::span<Victim> victims) override;

 private:
  PageIndex hand_ = 0;
};

}  // namespace tandem::swap
