#include "runtime/tracer/pacer.h"

#include <gtest/gtest.h>

namespace tandem::tracer {
namespace {

constexpr uint64_t kMiB = uint64_t{1} << 20;
constexpr uint64_t kAllLocal = uint64_t{1} << 40;

TEST(Pacer, LeavesHalfOfASmallHeapBeforeTheFirstCycle) {
  EXPECT_EQ(Pacer(8 * kMiB, kAllLocal, 2).FirstTrigger(), 4 * kMiB);
  EXPECT_LE(Pacer(1024 * kMiB, kAllLocal, 2).FirstTrigger(), 512 * kMiB);
}

TEST(Pacer, NeverLetsTheHeapGrowBeyondItsLimit) {
  for (uint64_t live = 0; live <= 100; live += 5) {
    for (uint64_t allocated : {0, 1, 100, 1000}) {
      const uint64_t next =
          Pacer(100 * kMiB, kAllLocal, 4).NextTrigger(live * kMiB, allocated * kMiB);
      EXPECT_LE(live * kMiB + next, std::max(live, uint64_t{92}) * kMiB)
          << live << " MiB live, " << allocated << " MiB allocated";
    }
  }
}

TEST(Pacer, LetsAQuietHeapGrowByItsFactor) {
  const uint64_t live = 500 * kMiB;
  const uint64_t next = Pacer(10'000 * kMiB, kAllLocal, 2).NextTrigger(live, 1 * kMiB);
  EXPECT_GT(next, live * 8 / 10);
  EXPECT_LE(next, live);
}

TEST(Pacer, StartsTheEarlierTheMoreIsAllocatedDuringACycle) {
  const auto trigger = [&](uint64_t allocated_mib) {
    return Pacer(10'000 * kMiB, kAllLocal, 2).NextTrigger(500 * kMiB, allocated_mib * kMiB);
  };
  EXPECT_LT(trigger(200), trigger(150));
  EXPECT_LT(trigger(150), trigger(100));
  // Enough is left for a cycle like the last.
  EXPECT_LE(trigger(200) + 200 * kMiB, 500 * kMiB);
}

TEST(Pacer, RemembersABusyCycleForOneMore) {
  Pacer pacer(10'000 * kMiB, kAllLocal, 2);
  const uint64_t busy = pacer.NextTrigger(500 * kMiB, 200 * kMiB);
  EXPECT_EQ(pacer.NextTrigger(500 * kMiB, 1 * kMiB), busy);
  EXPECT_GT(pacer.NextTrigger(500 * kMiB, 1 * kMiB), busy);
}

TEST(Pacer, StillLetsSomethingBeAllocatedHoweverHurriedItIs) {
  EXPECT_GT(Pacer(1000 * kMiB, kAllLocal, 2).NextTrigger(100 * kMiB, 1000 * kMiB), kMiB);
}

TEST(Pacer, KeepsAHeapInLocalMemoryThatFitsWithRoomToSpare) {
  const uint64_t local = 300 * kMiB;
  // Twice what is live would not fit.
  const uint64_t next = Pacer(10'000 * kMiB, local, 2).NextTrigger(180 * kMiB, 10 * kMiB);
  EXPECT_LE(180 * kMiB + next + 10 * kMiB, local);
  EXPECT_GT(next, 50 * kMiB);
}

TEST(Pacer, DoesNotCollectAgainAndAgainWhereLittleLocalMemoryHoldsLess) {
  for (const uint64_t live : {uint64_t{0}, 100 * kMiB / 1024}) {
    EXPECT_GT(Pacer(1024 * kMiB, kMiB / 4, 2).NextTrigger(live, kMiB), 16 * kMiB);
    EXPECT_LE(Pacer(1024 * kMiB, 8 * kMiB, 2).NextTrigger(live, 0), 8 * kMiB);
  }
}

TEST(Pacer, DoesNotCollectAgainAndAgainToFitAHeapThatFillsLocalMemory) {
  const auto trigger = [](uint64_t local) {
    return Pacer(10'000 * kMiB, local, 2).NextTrigger(250 * kMiB, 10 * kMiB);
  };
  EXPECT_EQ(trigger(300 * kMiB), trigger(kAllLocal));
  EXPECT_EQ(trigger(100 * kMiB), trigger(kAllLocal));
}

TEST(Pacer, CopesWithAFullHeap) {
  EXPECT_EQ(Pacer(100 * kMiB, kAllLocal, 2).NextTrigger(100 * kMiB, kMiB), 0u);
  EXPECT_EQ(Pacer(100 * kMiB, kAllLocal, 2).NextTrigger(200 * kMiB, 0), 0u);
}

}  // namespace
}  // namespace tandem::tracer
