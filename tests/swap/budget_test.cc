#include "runtime/swap/budget.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "tests/base/random.h"

namespace tandem::swap {
namespace {

TEST(Budget, GivesNoMoreThanItHas) {
  Budget budget(10);
  EXPECT_EQ(budget.TryTake(4), 4u);
  EXPECT_EQ(budget.TryTake(0), 0u);
  EXPECT_EQ(budget.free(), 6u);
  EXPECT_EQ(budget.TryTake(100), 6u);
  EXPECT_EQ(budget.TryTake(1), 0u);
  EXPECT_EQ(budget.taken(), 10u);
  budget.GiveBack(3);
  EXPECT_EQ(budget.TryTake(5), 3u);
  EXPECT_EQ(budget.limit(), 10u);
}

TEST(Budget, ThePeakIsTheMostThatWasEverTaken) {
  Budget budget(10);
  EXPECT_EQ(budget.peak(), 0u);
  EXPECT_EQ(budget.TryTake(7), 7u);
  budget.GiveBack(7);
  EXPECT_EQ(budget.TryTake(2), 2u);
  EXPECT_EQ(budget.peak(), 7u);
  EXPECT_EQ(budget.TryTake(6), 6u);
  EXPECT_EQ(budget.peak(), 8u);
}

TEST(Budget, IsExactUnderThreads) {
  constexpr int64_t kLimit = 50;
  Budget budget(kLimit);
  std::atomic<int64_t> held{0};
  const uint64_t seed = tandem::testing::TestSeed();
  std::vector<std::thread> threads;
  for (uint64_t t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      tandem::testing::Random random(seed + t);
      for (size_t i = 0; i < tandem::testing::Rounds(20000); ++i) {
        const size_t got = budget.TryTake(random.Between(1, 40));
        const auto frames = static_cast<int64_t>(got);
        ASSERT_LE(held.fetch_add(frames) + frames, kLimit);
        if (random.OneIn(8)) std::this_thread::yield();
        held.fetch_sub(frames);
        budget.GiveBack(got);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(budget.free(), budget.limit());
  EXPECT_LE(budget.peak(), budget.limit());
  EXPECT_GE(budget.peak(), 1u);
}

}  // namespace
}  // namespace tandem::swap
