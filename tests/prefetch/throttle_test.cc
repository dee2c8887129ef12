#include "runtime/prefetch/throttle.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "tests/base/random.h"

namespace tandem::prefetch {
namespace {

constexpr size_t kPlenty = 1000;

// Issues what is wanted in portions of `want`, and has one page of `one_in` used, the others
// wasted. Returns how many were issued.
size_t Feed(Throttle& throttle, size_t wanted, size_t want, size_t one_in) {
  size_t issued = 0;
  for (size_t i = 0; i < wanted; i += want) {
    const size_t n = throttle.TryIssue(want);
    for (size_t j = 0; j < n; ++j) {
      if (issued++ % one_in == 0) {
        throttle.OnUsed(1);
      } else {
        throttle.OnWasted(1);
      }
    }
  }
  return issued;
}

// After a history of `used` and `wasted` pages: how many of 1600 that are wanted.
size_t IssuedAfter(size_t used, size_t wasted, size_t want) {
  Throttle throttle(kPlenty);
  EXPECT_EQ(throttle.TryIssue(used + wasted), used + wasted);
  throttle.OnUsed(used);
  throttle.OnWasted(wasted);
  size_t issued = 0;
  for (size_t i = 0; i < 1600; i += want) {
    const size_t n = throttle.TryIssue(want);
    issued += n;
    throttle.OnDropped(n);  // teaches it nothing
  }
  return issued;
}

TEST(Throttle, LetsAllGoUntilItKnows) {
  Throttle throttle(kPlenty);
  EXPECT_EQ(throttle.TryIssue(0), 0u);
  EXPECT_EQ(throttle.TryIssue(31), 31u);
  throttle.OnWasted(31);
  EXPECT_EQ(throttle.TryIssue(32), 32u);
  throttle.OnWasted(32);
  EXPECT_LT(throttle.TryIssue(32), 32u);
}

TEST(Throttle, LetsAllGoWhereHalfOrMoreAreUsed) {
  EXPECT_EQ(IssuedAfter(100, 0, 8), 1600u);
  EXPECT_EQ(IssuedAfter(100, 50, 8), 1600u);
  EXPECT_EQ(IssuedAfter(100, 100, 8), 1600u);
}

TEST(Throttle, LetsGoInProportionWhereFewerAreUsed) {
  EXPECT_EQ(IssuedAfter(50, 150, 8), 800u);   // a quarter used: half of what is wanted
  EXPECT_EQ(IssuedAfter(25, 175, 8), 400u);   // an eighth: a quarter
  EXPECT_EQ(IssuedAfter(50, 150, 32), 800u);  // however much is wanted at once
  EXPECT_EQ(IssuedAfter(50, 150, 1), 800u);
}

TEST(Throttle, NeverLessThanOneInSixteen) {
  EXPECT_EQ(IssuedAfter(0, 200, 8), 100u);
  EXPECT_EQ(IssuedAfter(0, 200, 1), 100u);
  EXPECT_EQ(IssuedAfter(1, 199, 32), 100u);
  EXPECT_EQ(IssuedAfter(0, 999, 8), 100u);
}

TEST(Throttle, LeavesAUselessPrefetcherItsTrickle) {
  Throttle throttle(kPlenty);
  Feed(throttle, 1000, 8, 1000);
  EXPECT_EQ(Feed(throttle, 16'000, 8, 100'000), 1000u);
}

TEST(Throttle, RecoversWithinSomeHundredPages) {
  for (const size_t want : {1, 8, 32}) {
    Throttle throttle(kPlenty);
    Feed(throttle, 100'000, want, 100'000);
    Feed(throttle, 800, want, 1);  // now all are used
    EXPECT_EQ(Feed(throttle, 320, want, 1), 320u) << want;
  }
}

TEST(Throttle, ForgetsAGoodPastWithinSomeHundredPages) {
  Throttle throttle(kPlenty);
  Feed(throttle, 100'000, 8, 1);
  Feed(throttle, 1600, 8, 100'000);
  EXPECT_LT(Feed(throttle, 1600, 8, 100'000), 200u);
}

TEST(Throttle, NeverHasMoreUnusedThanItMay) {
  Throttle throttle(10);
  EXPECT_EQ(throttle.max_unused(), 10u);
  EXPECT_EQ(throttle.TryIssue(8), 8u);
  EXPECT_EQ(throttle.TryIssue(8), 2u);
  EXPECT_EQ(throttle.unused(), 10u);
  EXPECT_EQ(throttle.TryIssue(8), 0u);
  throttle.OnUsed(3);
  EXPECT_EQ(throttle.TryIssue(8), 3u);
  throttle.OnWasted(4);
  EXPECT_EQ(throttle.TryIssue(3), 3u);
  throttle.OnDropped(6);
  EXPECT_EQ(throttle.unused(), 3u);
  EXPECT_EQ(throttle.TryIssue(8), 7u);
}

TEST(Throttle, OfZeroPagesLetsNothingGo) {
  Throttle throttle(0);
  EXPECT_EQ(throttle.TryIssue(8), 0u);
}

TEST(Throttle, DroppedPagesTeachItNothing) {
  Throttle throttle(kPlenty);
  for (int i = 0; i < 100; ++i) {
    ASSERT_EQ(throttle.TryIssue(32), 32u);
    throttle.OnDropped(32);
  }
  EXPECT_EQ(throttle.unused(), 0u);
}

TEST(Throttle, HoldsItsBoundUnderThreads) {
  constexpr size_t kBound = 50;
  Throttle throttle(kBound);
  std::atomic<size_t> held{0};
  const uint64_t seed = tandem::testing::TestSeed();
  std::vector<std::thread> threads;
  for (uint64_t t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      tandem::testing::Random random(seed + t);
      for (size_t i = 0; i < tandem::testing::Rounds(20'000); ++i) {
        const size_t n = throttle.TryIssue(random.Between(1, 32));
        ASSERT_LE(held.fetch_add(n) + n, kBound);
        if (random.OneIn(8)) std::this_thread::yield();
        held.fetch_sub(n);
        const size_t used = random.Below(n + 1);
        throttle.OnUsed(used);
        throttle.OnWasted(n - used);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(throttle.unused(), 0u);
}

}  // namespace
}  // namespace tandem::prefetch
