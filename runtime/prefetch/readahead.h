// Readahead: Linux's swap readahead by virtual address (mm/swap_state.c, since 4.14), with the
// default vm.page-cluster of 3.
//
// The window, which counts the page missed, follows the hits since the last miss: two more than
// there were, rounded up to a power of two from four on, at most kMaxWindow. Without hits it is two
// next to the last access and one, which is no readahead, elsewhere. It never shrinks to less than
// half of the last one. It begins at the miss if the last access was to the page below, ends at it
// if that was the page above, and lies around it otherwise.
//
// Linux keeps this state for each mapping, shared by its threads; here each thread has its own,
// which mixes streams less. Linux also ends a window where a page table ends (each 2 MiB), which
// means nothing here, and reads it in the order of addresses, not of distance from the miss.
#pragma once

#include <algorithm>
#include <bit>
#include <utility>

#include "runtime/prefetch/prefetcher.h"

namespace tandem::prefetch {

class Readahead final : public Prefetcher {
 public:
  static constexpr size_t kMaxWindow = 8;

  size_t OnAccess(const Access& access, std::span<Page, kMaxPages> out) override {
    const Page page = access.page;
    const Page last = std::exchange(last_, page);
    if (access.hit) {
      ++hits_;
      return 0;
    }
    window_ = Window(page, last);
    hits_ = 0;
    const auto window = static_cast<Page>(window_);
    Page first = page - (window - 1) / 2;
    if (page == last + 1) first = page;
    if (page == last - 1) first = page - window + 1;
    const Page end = first + window;
    first = std::max<Page>(first, 0);
    size_t n = 0;
    for (Page away = 1; away < window; ++away) {
      if (page + away < end) out[n++] = page + away;
      if (page - away >= first) out[n++] = page - away;
    }
    return n;
  }

 private:
  size_t Window(Page page, Page last) const {
    size_t window = 1;
    if (hits_ > 0) {
      window = std::bit_ceil(std::max<size_t>(hits_ + 2, 4));
    } else if (page == last + 1 || page == last - 1) {
      window = 2;
    }
    return std::max(std::min(window, kMaxWindow), window_ / 2);
  }

  size_t window_ = 0;
  size_t hits_ = 4;  // so many, without any, at the first miss of all: Linux starts like that
  Page last_ = -2;   // next to no page
};

}  // namespace tandem::prefetch
