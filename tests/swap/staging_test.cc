#include "runtime/swap/staging.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <algorithm>
#include <thread>
#include <utility>
#include <vector>

#include "tests/base/random.h"
#include "tests/swap/pager_rig.h"

namespace tandem::swap {
namespace {

using tandem::testing::Random;
using tandem::testing::Rounds;
using tandem::testing::TestSeed;

class StagingTest : public RoadTest {
 protected:
  void SetUp() override {
    RoadTest::SetUp();
    if (IsSkipped()) return;
    uffd_ = std::make_unique<Userfault>(std::move(Userfault::Open(UseMove()).value()));
    staging_ = std::move(Staging::Create(*uffd_, UseMove()).value());
  }

  // Empty slots where there are any.
  SlotRun TakeAny(size_t want) {
    return UseMove() ? staging_->TakeEmpty(want) : staging_->TakeReady(want);
  }
  void PutAny(SlotRun run) { UseMove() ? staging_->PutEmpty(run) : staging_->PutReady(run); }
  bool IsMapped(uint32_t slot) const {
    unsigned char resident = 0;
    EXPECT_EQ(mincore(staging_->Data(slot), base::kPageSize, &resident), 0);
    return (resident & 1) != 0;
  }
  // As an eviction does: a page comes to lie in each slot.
  void PutPagesIn(SlotRun run) {
    if (!UseMove()) return;
    alignas(base::kPageSize) static const std::byte page[Staging::kMaxRun * base::kPageSize] = {};
    uffd_->Copy(reinterpret_cast<uintptr_t>(staging_->Data(run.first)), page,
                run.count * base::kPageSize);
  }
  // As a fetch does: the pages of the slots go into the heap.
  void TakePagesOut(SlotRun run) {
    if (!UseMove()) return;
    Userfault::Unmap(reinterpret_cast<uintptr_t>(staging_->Data(run.first)),
                     run.count * base::kPageSize);
  }

  std::unique_ptr<Userfault> uffd_;
  std::unique_ptr<Staging> staging_;
};

TEST_P(StagingTest, HandsOutEachSlotOnceInLongRuns) {
  std::vector<bool> taken(Staging::kSlots);
  size_t runs = 0;
  for (size_t total = 0; total < Staging::kSlots; ++runs) {
    const SlotRun run = TakeAny(64);
    ASSERT_GT(run.count, 0u);
    ASSERT_LE(run.count, 64u);
    ASSERT_LE(run.first + run.count, Staging::kSlots);
    for (uint32_t slot = run.first; slot < run.first + run.count; ++slot) {
      EXPECT_FALSE(taken[slot]);
      taken[slot] = true;
    }
    total += run.count;
  }
  EXPECT_EQ(runs, Staging::kSlots / 64);
  EXPECT_EQ(staging_->TryTakeReady(1).count, 0u);
}

TEST_P(StagingTest, GivesAtMostWhatIsAsked) {
  for (const size_t want : {size_t{1}, size_t{3}, size_t{64}, size_t{1000}}) {
    const SlotRun run = TakeAny(want);
    EXPECT_GE(run.count, 1u);
    EXPECT_LE(run.count, std::min(want, Staging::kMaxRun));
  }
}

TEST_P(StagingTest, GoesRoundTheSlotsInOrder) {
  uint32_t expected = 0;
  for (size_t i = 0; i < 3 * Staging::kSlots / 16; ++i) {
    const SlotRun run = TakeAny(16);
    EXPECT_EQ(run.first, expected);
    EXPECT_EQ(run.count, 16u);
    expected = (expected + 16) % Staging::kSlots;
    PutAny(run);
  }
}

TEST_P(StagingTest, ASlotIsMappedExactlyWhileItIsReady) {
  const SlotRun run = TakeAny(8);
  ASSERT_EQ(run.count, 8u);
  if (UseMove()) {
    EXPECT_FALSE(IsMapped(run.first));
    EXPECT_EQ(staging_->TryTakeReady(8).count, 0u);
  }
  PutPagesIn(run);
  staging_->PutReady(run);
  const SlotRun ready = staging_->TakeReady(8);
  if (UseMove()) {
    EXPECT_EQ(ready.first, run.first);
    EXPECT_EQ(ready.count, run.count);
    EXPECT_TRUE(IsMapped(ready.first + 7));
  }
  staging_->Data(ready.first)[0] = std::byte{1};  // a read may land in it
}

TEST_P(StagingTest, MakesReadySlotsOutOfEmptyOnes) {
  size_t total = 0;
  while (total < Staging::kSlots) {
    const SlotRun run = staging_->TakeReady(32);
    ASSERT_GT(run.count, 0u);
    for (uint32_t slot = run.first; slot < run.first + run.count; ++slot) {
      staging_->Data(slot)[17] = std::byte{1};
    }
    total += run.count;
  }
  EXPECT_EQ(total, Staging::kSlots);
}

TEST_P(StagingTest, MakesEmptySlotsOutOfReadyOnes) {
  for (uint32_t slot = 0; slot < Staging::kSlots;) {
    const SlotRun run = TakeAny(64);
    PutPagesIn(run);
    slot += run.count;
  }
  staging_->PutReady({0, Staging::kSlots});  // a run across all words
  size_t total = 0;
  while (total < Staging::kSlots) {
    const SlotRun run = TakeAny(64);
    if (UseMove()) {
      EXPECT_FALSE(IsMapped(run.first));
    }
    total += run.count;
  }
  EXPECT_EQ(staging_->TryTakeReady(1).count, 0u);
}

TEST_P(StagingTest, ATakerWaitsUntilSomebodyGivesBack) {
  for (size_t total = 0; total < Staging::kSlots;) total += TakeAny(64).count;
  std::thread giver([&] {
    std::this_thread::yield();
    PutAny({100, 5});
  });
  const SlotRun run = TakeAny(64);
  giver.join();
  EXPECT_EQ(run.first, 100u);
  EXPECT_EQ(run.count, 5u);
}

TEST_P(StagingTest, NoSlotHasTwoUsersAtOnce) {
  const uint64_t seed = TestSeed();
  std::vector<std::atomic<int>> users(Staging::kSlots);
  std::vector<std::thread> threads;
  for (uint64_t t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      Random random(seed + t);
      std::vector<std::pair<SlotRun, bool>> held;  // true: pages lie in them
      const auto give_back = [&] {
        const size_t i = random.Below(held.size());
        auto [run, full] = held[i];
        held[i] = held.back();
        held.pop_back();
        for (uint32_t s = run.first; s < run.first + run.count; ++s) ASSERT_EQ(--users[s], 0);
        // Fetches empty what they took ready, evictions fill what they took empty, mostly.
        if (random.OneIn(2)) {
          if (full) TakePagesOut(run);
          PutAny(run);
        } else {
          if (!full) PutPagesIn(run);
          staging_->PutReady(run);
        }
      };
      for (size_t i = 0; i < Rounds(3000); ++i) {
        if (held.size() == 16 || (!held.empty() && random.OneIn(2))) {
          give_back();
          continue;
        }
        const bool full = random.OneIn(2);
        const size_t want = random.Between(1, 32);  // 4 * 16 * 32 slots: nobody waits for ever
        const SlotRun run = full ? staging_->TakeReady(want) : TakeAny(want);
        for (uint32_t s = run.first; s < run.first + run.count; ++s) ASSERT_EQ(users[s]++, 0);
        held.push_back({run, full});
      }
      while (!held.empty()) give_back();
    });
  }
  for (auto& thread : threads) thread.join();
}

TANDEM_ON_BOTH_ROADS(StagingTest);

}  // namespace
}  // namespace tandem::swap
