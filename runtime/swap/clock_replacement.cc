#include "runtime/swap/clock_replacement.h"

namespace tandem::swap {

size_t ClockReplacement::Select(PageTable& table, std::span<Victim> victims) {
  const size_t used = table.used();
  size_t found = 0;
  for (size_t looked = 0; looked < 2 * used && found < victims.size(); ++looked) {
    if (hand_ >= used) hand_ = 0;
    const PageIndex page = table.NextLocal(hand_, used);
    looked += page - hand_;
    hand_ = page;
    if (page == used) continue;
    ++hand_;
    auto& state = table.state(page);
    // Relaxed: the CAS below decides; its success needs acquire so that what the last fetcher
    // did to the page is visible, and sequential consistency against pins (Pager::Pin) and dead
    // marks (Pager::Revive).
    PageState seen = state.load(std::memory_order_relaxed);
    if (Residency(seen) != kLocal) continue;
    const bool touched = (seen & kUntouched) == 0;
    if (touched && table.hash(page).load(std::memory_order_relaxed) != kDeadContent) {
      state.compare_exchange_strong(seen, seen | kUntouched, std::memory_order_relaxed);
      continue;
    }
    if (table.pins(page).load(std::memory_order_relaxed) != 0) continue;
    if (state.compare_exchange_strong(seen, kLeaving)) victims[found++] = {page, seen};
  }
  return found;
}

}  // namespace tandem::swap
