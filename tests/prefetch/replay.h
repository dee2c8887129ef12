// What the tests of prefetchers share: to ask one about an access, and to play a sequence to it.
//
// The sequences here are made up in the likeness of what a thread's faults look like, so that a
// reader sees what is in them: with a table used on the side, a hole, pages that come twice. Those
// of real programs: recorded_faults_test.cc.
#pragma once

#include <array>
#include <set>
#include <span>
#include <vector>

#include "runtime/prefetch/prefetcher.h"

namespace tandem::prefetch::testing {

inline std::vector<Page> Ask(Prefetcher& prefetcher, Page page, bool hit) {
  std::array<Page, Prefetcher::kMaxPages> out;
  const size_t n = prefetcher.OnAccess({page, hit}, out);
  return {out.begin(), out.begin() + static_cast<ptrdiff_t>(n)};
}
inline std::vector<Page> Miss(Prefetcher& prefetcher, Page page) {
  return Ask(prefetcher, page, false);
}
inline std::vector<Page> Hit(Prefetcher& prefetcher, Page page) {
  return Ask(prefetcher, page, true);
}

struct Outcome {
  size_t misses = 0;
  size_t hits = 0;
  size_t prefetched = 0;
};

// A thread touches pages that are all far at first. Prefetches arrive at once, and nothing is
// evicted.
inline Outcome Replay(Prefetcher& prefetcher, std::span<const Page> touched) {
  Outcome outcome;
  std::set<Page> used;
  std::set<Page> prefetched;
  for (const Page page : touched) {
    if (!used.insert(page).second) continue;
    const bool hit = prefetched.contains(page);
    ++(hit ? outcome.hits : outcome.misses);
    for (const Page p : Ask(prefetcher, page, hit)) {
      if (!used.contains(p) && prefetched.insert(p).second) ++outcome.prefetched;
    }
  }
  return outcome;
}

// What a thread waited for while nothing was prefetched. A page that comes again was evicted
// meanwhile; which other pages were local is not known, so what is named counts as prefetched.
inline Outcome ReplayFaults(Prefetcher& prefetcher, std::span<const Page> faults) {
  Outcome outcome;
  std::set<Page> prefetched;
  for (const Page page : faults) {
    const bool hit = prefetched.erase(page) > 0;
    ++(hit ? outcome.hits : outcome.misses);
    for (const Page p : Ask(prefetcher, page, hit)) {
      if (prefetched.insert(p).second) ++outcome.prefetched;
    }
  }
  return outcome;
}

inline std::vector<Page> Sequence(Page first, Page stride, size_t n) {
  std::vector<Page> pages;
  for (size_t i = 0; i < n; ++i) pages.push_back(first + stride * static_cast<Page>(i));
  return pages;
}

// A scan of an array, and some counters that it keeps.
inline constexpr Page kScan[] = {
    3072, 3073, 3074, 917,  3075, 3076, 922,  3077, 3078, 3079, 907,  3080, 3081, 3082, 3083, 3084,
    922,  3085, 3086, 917,  3087, 3088, 922,  3089, 3090, 3091, 3092, 3093, 3094, 3095, 3096, 3097,
    922,  3098, 3099, 930,  3100, 3101, 3102, 3109, 3110, 3111, 3112, 917,  3113, 3114, 3115, 3116,
    3117, 3118, 911,  3119, 3120, 3121, 903,  3122, 3123, 3124, 3125, 3126, 3127,
};

// A walk along a list whose nodes lie at random in 8 MiB.
inline constexpr Page kChase[] = {
    5948, 6003, 5946, 4873, 4852, 6044, 4858, 4481, 5925, 5338, 4676, 4467, 4267, 5718, 5951, 4741,
    4157, 4354, 4339, 4242, 4875, 5086, 4219, 5996, 5432, 5900, 4896, 5053, 5300, 6143, 4114, 4444,
    5969, 5235, 5762, 4436, 5136, 5387, 5036, 5279, 4217, 4383, 4538, 5736, 4537, 5287, 5679, 4369,
};

}  // namespace tandem::prefetch::testing
