// ClockReplacement: second chance over the software accessed bit.
//
// The hand passes over the pages in address order, marks touched ones untouched and takes those
// that still are when it comes again. Dead pages, prefetched pages that nobody used and pages that
// only the collector wanted go at once.
#pragma once

#include "runtime/swap/replacement.h"

namespace tandem::swap {

class ClockReplacement final : public Replacement {
 public:
  size_t Select(PageTable& table, std::span<Victim> victims) override;

 private:
  PageIndex hand_ = 0;
};

}  // namespace tandem::swap
