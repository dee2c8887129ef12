#include "runtime/tracer/pacer.h"

#include <gtest/gtest.h>

namespace tandem::tracer {
namespace {

constexpr uint64_t kMiB = uint64_t{1} << 20;
constexpr uint64_t kMs = 1'000'000;

TEST(Pacer, LeavesHalfOfASmallHeapBeforeTheFirstCycle) {
  EXPECT_EQ(Pacer(8 * kMiB, 2).FirstTrigger(), 4 * kMiB);
  EXPECT_LE(Pacer(1024 * kMiB, 2).FirstTrigger(), 512 * kMiB);
}

TEST(Pacer, NeverLetsTheHeapGrowBeyondItsLimit) {
  for (uint64_t live = 0; live <= 100; live += 5) {
    for (uint64_t allocated : {1, 100, 1000}) {
      const uint64_t next =
          Pacer(100 * kMiB, 4).NextTrigger(live * kMiB, 10 * kMs, 100 * kMs, allocated * kMiB);
      EXPECT_LE(live * kMiB + next, std::max(live, uint64_t{92}) * kMiB)
          << live << " MiB live, " << allocated << " MiB allocated";
    }
  }
}

TEST(Pacer, LetsAQuietHeapGrowByItsFactor) {
  const uint64_t live = 500 * kMiB;
  const uint64_t next = Pacer(10'000 * kMiB, 2).NextTrigger(live, kMs, 1000 * kMs, kMiB);
  EXPECT_GT(next, live * 8 / 10);
  EXPECT_LE(next, live);
}

TEST(Pacer, StartsTheEarlierTheFasterTheHeapFillsAndTheLongerACycleTakes) {
  const Pacer pacer(10'000 * kMiB, 2);
  const uint64_t live = 500 * kMiB;
  const auto trigger = [&](uint64_t cycle_ms, uint64_t allocated_mib) {
    return pacer.NextTrigger(live, cycle_ms * kMs, 1000 * kMs, allocated_mib * kMiB);
  };
  EXPECT_LT(trigger(200, 1000), trigger(200, 500));
  EXPECT_LT(trigger(400, 500), trigger(200, 500));
}

TEST(Pacer, StillLetsSomethingBeAllocatedHoweverHurriedItIs) {
  EXPECT_GT(Pacer(1000 * kMiB, 2).NextTrigger(100 * kMiB, 10'000 * kMs, kMs, 1000 * kMiB), kMiB);
}

TEST(Pacer, CopesWithAFullHeapAndWithNoTimeAtAll) {
  EXPECT_EQ(Pacer(100 * kMiB, 2).NextTrigger(100 * kMiB, kMs, 0, kMiB), 0u);
  EXPECT_EQ(Pacer(100 * kMiB, 2).NextTrigger(200 * kMiB, 0, 0, 0), 0u);
}

}  // namespace
}  // namespace tandem::tracer
