#include "runtime/heap/roots.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace tandem::heap {
namespace {

using ::testing::UnorderedElementsAre;

std::vector<uintptr_t> All(const Roots& roots) {
  std::vector<uintptr_t> all;
  roots.ForEach([&](uintptr_t reference) { all.push_back(reference); });
  return all;
}

TEST(Roots, VisitsEachSlotThatIsNotNull) {
  Roots roots;
  Roots::Slot* const a = roots.Lend();
  Roots::Slot* const b = roots.Lend();
  Roots::Slot* const c = roots.Lend();
  EXPECT_EQ(a->load(), 0u);
  a->store(1);
  c->store(3);
  EXPECT_THAT(All(roots), UnorderedElementsAre(1, 3));
  b->store(3);
  a->store(0);
  EXPECT_THAT(All(roots), UnorderedElementsAre(3, 3));
}

TEST(Roots, SlotsThatCameBackAreLentAgainAndNoneMoves) {
  Roots roots;
  Roots::Slot* const kept = roots.Lend();
  kept->store(7);
  Roots::Slot* const returned = roots.Lend();
  roots.Return(returned);
  EXPECT_EQ(roots.Lend(), returned);
  for (int i = 0; i < 10000; ++i) EXPECT_EQ(roots.Lend()->load(), 0u);
  EXPECT_THAT(All(roots), UnorderedElementsAre(7));
}

TEST(Roots, ThreadsLendAndReturnWhileTheCollectorLooks) {
  Roots roots;
  std::atomic<int> running{3};
  std::vector<std::thread> threads;
  for (uintptr_t t = 1; t <= 3; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 1000; ++i) {
        Roots::Slot* const slot = roots.Lend();
        ASSERT_EQ(slot->load(), 0u);
        slot->store(t, std::memory_order_release);
        slot->store(0, std::memory_order_release);
        roots.Return(slot);
      }
      --running;
    });
  }
  while (running.load() > 0) {
    for (const uintptr_t reference : All(roots)) EXPECT_LE(reference, 3u);
    std::this_thread::yield();
  }
  for (auto& thread : threads) thread.join();
  EXPECT_TRUE(All(roots).empty());
}

}  // namespace
}  // namespace tandem::heap
