#include "runtime/heap/block_pool.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <thread>
#include <vector>

#include "tests/heap/heap_rig.h"

namespace tandem::heap {
namespace {

class BlockPoolTest : public ::testing::Test {
 protected:
  std::optional<BlockIndex> Take(BlockKind kind = BlockKind::kSmall, Effort effort = Effort::kCheap,
                                 bool empty_only = false) {
    return rig_.pool().Take(kind, effort, empty_only, rig_.pool().cycle());
  }
  std::optional<BlockIndex> TakeLarge(uint32_t count) {
    return rig_.pool().TakeLarge(BlockKind::kLargeHead, count, rig_.pool().cycle());
  }
  // Says what a sweep has left free in the block: the first `lines` lines.
  void SetFreeLines(BlockIndex b, uint16_t lines) {
    Block& block = rig_.block(b);
    block.free_lines = lines;
    for (uint64_t& word : block.free_line_map) word = 0;
    for (size_t line = 0; line < lines; ++line) {
      block.free_line_map[line / 64] |= uint64_t{1} << (line % 64);
    }
  }
  void MakeLocal(BlockIndex b) {
    rig_.pager().MakeRangeLocal(uint64_t{b} * kBlockPages, kBlockPages, rig_.port());
  }
  // A block of the kind, swept in this cycle, that holds something and has room left.
  BlockIndex MakePartial(BlockKind kind, uint16_t lines, bool local) {
    const BlockIndex b = *Take(kind, Effort::kCheap, true);
    if (local) MakeLocal(b);
    SetFreeLines(b, lines);
    // Pages that are not local hold something: with zeroes only they would be fresh.
    if (!local) {
      for (size_t page = 0; page < kBlockPages; ++page) {
        rig_.pager().table().state(uint64_t{b} * kBlockPages + page).store(swap::kFar);
      }
    }
    rig_.block(b).owned.store(false);
    rig_.pool().AddPartial(b);
    return b;
  }

  HeapRig rig_{{.blocks = 40}};
};

TEST_F(BlockPoolTest, HandsOutEmptyBlocksInTheOrderOfAddresses) {
  for (BlockIndex b = 0; b < 5; ++b) {
    EXPECT_EQ(Take(BlockKind::kSmallLeaf), b);
    EXPECT_EQ(rig_.block(b).kind.load(), BlockKind::kSmallLeaf);
    EXPECT_TRUE(rig_.block(b).owned.load());
    EXPECT_EQ(rig_.block(b).free_lines, kBlockLines);
    EXPECT_TRUE(rig_.block(b).PageIsFree(15));
    EXPECT_EQ(rig_.pool().used(), b + 1);
  }
  EXPECT_EQ(rig_.pager().table().used(), 5 * kBlockPages);
}

TEST_F(BlockPoolTest, TheHeapEndsAtItsLimit) {
  EXPECT_EQ(rig_.pool().limit_bytes(), 40 * kBlockBytes);
  for (BlockIndex b = 0; b < 40; ++b) ASSERT_TRUE(Take().has_value());
  EXPECT_FALSE(Take().has_value());
  EXPECT_FALSE(Take(BlockKind::kSmall, Effort::kLastResort).has_value());
  EXPECT_FALSE(TakeLarge(1).has_value());
  EXPECT_EQ(rig_.pool().used(), 40u);
}

TEST_F(BlockPoolTest, FreedBlocksAreHandedOutAgainLowestFirst) {
  for (int i = 0; i < 10; ++i) (void)Take();
  rig_.pool().AddFree(7, 1);
  rig_.pool().AddFree(2, 2);
  EXPECT_EQ(rig_.block(7).kind.load(), BlockKind::kFree);
  EXPECT_EQ(Take(), 2u);
  EXPECT_EQ(Take(), 3u);
  EXPECT_EQ(Take(BlockKind::kMedium), 7u);
  EXPECT_EQ(Take(), 10u);
}

TEST_F(BlockPoolTest, ABlockWithRoomIsPreferredToAnEmptyOne) {
  const BlockIndex partial = MakePartial(BlockKind::kSmall, 100, true);
  EXPECT_NE(Take(BlockKind::kSmallLeaf), partial);  // of another kind
  EXPECT_NE(Take(BlockKind::kSmall, Effort::kCheap, true), partial);
  EXPECT_EQ(Take(), partial);
  EXPECT_TRUE(rig_.block(partial).owned.load());
  EXPECT_EQ(rig_.block(partial).free_lines, 100);  // as the sweep left it
  EXPECT_NE(Take(), partial);
}

TEST_F(BlockPoolTest, HolesOfFarPagesAreForTheLastResort) {
  const BlockIndex far = MakePartial(BlockKind::kSmall, 100, false);
  std::set<BlockIndex> others;
  while (const auto b = Take()) others.insert(*b);
  EXPECT_EQ(others.size(), 39u);
  EXPECT_EQ(others.count(far), 0u);
  EXPECT_EQ(Take(BlockKind::kSmall, Effort::kLastResort), far);
  EXPECT_FALSE(Take(BlockKind::kSmall, Effort::kLastResort).has_value());
}

TEST_F(BlockPoolTest, ADeadPageIsCheapRoomWherever) {
  const BlockIndex far = MakePartial(BlockKind::kSmall, 100, false);
  rig_.pager().MarkDead(uint64_t{far} * kBlockPages, 1);
  EXPECT_EQ(Take(), far);
}

TEST_F(BlockPoolTest, NearlyFullBlocksAreForTheLastResort) {
  const BlockIndex full = MakePartial(BlockKind::kSmall, 15, true);
  while (const auto b = Take()) EXPECT_NE(*b, full);
  EXPECT_EQ(Take(BlockKind::kSmall, Effort::kLastResort), full);
}

TEST_F(BlockPoolTest, WhatAnOwnerLeavesInABlockIsOfferedAsALastResort) {
  const BlockIndex first = *Take();
  SetFreeLines(first, 20);
  rig_.pool().Release(first);
  EXPECT_FALSE(rig_.block(first).owned.load());
  while (const auto b = Take()) EXPECT_NE(*b, first);
  EXPECT_EQ(Take(BlockKind::kSmall, Effort::kLastResort), first);
  SetFreeLines(first, 15);  // not worth it
  rig_.pool().Release(first);
  EXPECT_FALSE(Take(BlockKind::kSmall, Effort::kLastResort).has_value());
}

TEST_F(BlockPoolTest, ABlockThatWaitsForTheSweepIsNotOffered) {
  const BlockIndex block = *Take();
  const BlockIndex other = *Take();
  SetFreeLines(other, 50);
  rig_.pool().Release(other);
  SetFreeLines(block, 50);
  rig_.pool().BeginSweep();  // forgets `other`
  rig_.pool().Release(block);
  while (const auto b = Take(BlockKind::kSmall, Effort::kLastResort)) {
    EXPECT_NE(*b, block);
    EXPECT_NE(*b, other);
  }
}

TEST_F(BlockPoolTest, ABlockCarriesTheCycleThatItsClaimerGoesBy) {
  const uint32_t old = rig_.pool().cycle();
  rig_.pool().BeginSweep();
  EXPECT_EQ(rig_.pool().cycle(), old + 1);
  const BlockIndex by_old = *rig_.pool().Take(BlockKind::kSmall, Effort::kCheap, false, old);
  const BlockIndex by_new = *rig_.pool().Take(BlockKind::kSmall, Effort::kCheap, false, old + 1);
  const BlockIndex large = *rig_.pool().TakeLarge(BlockKind::kLargeHead, 2, old);
  EXPECT_EQ(rig_.block(by_old).swept_cycle, old);
  EXPECT_EQ(rig_.block(by_new).swept_cycle, old + 1);
  EXPECT_EQ(rig_.block(large).swept_cycle, old);
}

// The sweep leaves a block of the new cycle alone. In the hands of an allocator that still goes by
// the old one it would be swept, and with it objects that nobody has marked.
TEST_F(BlockPoolTest, ABlockOfTheNewCycleIsNotGivenToAnAllocatorOfTheOld) {
  const uint32_t old = rig_.pool().cycle();
  rig_.pool().BeginSweep();
  const BlockIndex block =
      *rig_.pool().Take(BlockKind::kSmall, Effort::kCheap, false, rig_.pool().cycle());
  SetFreeLines(block, 100);  // the rest holds objects now
  rig_.pool().Release(block);
  while (const auto b = rig_.pool().Take(BlockKind::kSmall, Effort::kLastResort, false, old)) {
    ASSERT_NE(*b, block);
  }
  EXPECT_EQ(rig_.block(block).swept_cycle, rig_.pool().cycle());
}

TEST_F(BlockPoolTest, ALargeObjectTakesNeighbours) {
  const BlockIndex first = *TakeLarge(5);
  EXPECT_EQ(rig_.block(first).kind.load(), BlockKind::kLargeHead);
  EXPECT_EQ(rig_.block(first).extent, 5u);
  for (BlockIndex tail = 1; tail < 5; ++tail) {
    EXPECT_EQ(rig_.block(first + tail).kind.load(), BlockKind::kLargeTail);
    EXPECT_EQ(rig_.block(first + tail).extent, tail);
  }
  EXPECT_EQ(TakeLarge(2), first + 5);
}

TEST_F(BlockPoolTest, ALargeObjectGoesIntoAGapThatIsLargeEnough) {
  for (int i = 0; i < 20; ++i) (void)Take();
  rig_.pool().AddFree(3, 2);
  rig_.pool().AddFree(8, 4);
  EXPECT_EQ(TakeLarge(3), 8u);
  EXPECT_EQ(TakeLarge(3), 20u);
  EXPECT_EQ(TakeLarge(2), 3u);
  EXPECT_EQ(TakeLarge(1), 11u);
  EXPECT_EQ(Take(), 23u);
}

TEST_F(BlockPoolTest, ALargeObjectTakesTheFreeEndOfTheUsedRangeToo) {
  for (int i = 0; i < 38; ++i) (void)Take();
  rig_.pool().AddFree(36, 2);
  EXPECT_EQ(TakeLarge(4), 36u);
  EXPECT_EQ(rig_.pool().used(), 40u);
  EXPECT_FALSE(Take().has_value());
}

TEST_F(BlockPoolTest, WhatDoesNotFitLeavesTheFreeBlocksAlone) {
  for (int i = 0; i < 38; ++i) (void)Take();
  rig_.pool().AddFree(36, 2);
  rig_.pool().AddFree(5, 1);
  EXPECT_FALSE(TakeLarge(5).has_value());
  EXPECT_EQ(Take(), 5u);
  EXPECT_EQ(Take(), 36u);
  EXPECT_EQ(TakeLarge(3), 37u);
}

TEST_F(BlockPoolTest, NoBlockHasTwoOwners) {
  const uint64_t seed = TestSeed();
  std::vector<std::atomic<int>> owners(40);
  std::vector<std::thread> threads;
  for (uint64_t t = 0; t < 3; ++t) {
    threads.emplace_back([&, t] {
      Random random(seed + t);
      std::vector<std::pair<BlockIndex, uint32_t>> held;
      for (size_t i = 0; i < Rounds(5000); ++i) {
        if (held.size() == 5 || (!held.empty() && random.OneIn(2))) {
          std::swap(held[random.Below(held.size())], held.back());
          const auto [first, count] = held.back();
          held.pop_back();
          for (BlockIndex b = first; b < first + count; ++b) ASSERT_EQ(--owners[b], 0);
          rig_.pool().AddFree(first, count);
          continue;
        }
        const auto count = static_cast<uint32_t>(random.OneIn(2) ? 1 : random.Between(1, 4));
        const auto first = count == 1 ? Take() : TakeLarge(count);
        if (!first) continue;
        for (BlockIndex b = *first; b < *first + count; ++b) ASSERT_EQ(owners[b]++, 0);
        held.push_back({*first, count});
      }
      for (const auto& [first, count] : held) {
        for (BlockIndex b = first; b < first + count; ++b) ASSERT_EQ(--owners[b], 0);
        rig_.pool().AddFree(first, count);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  // All are free again.
  EXPECT_TRUE(TakeLarge(40).has_value());
}

TEST_F(BlockPoolTest, CountsWhatAllocatorsGet) {
  rig_.pool().CountAllocated(100);
  rig_.pool().CountAllocated(20);
  EXPECT_EQ(rig_.pool().allocated_bytes(), 120u);
  rig_.pool().ResetAllocated();
  EXPECT_EQ(rig_.pool().allocated_bytes(), 0u);
}

}  // namespace
}  // namespace tandem::heap
