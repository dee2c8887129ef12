#include "runtime/heap/thread_allocator.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <thread>
#include <vector>

#include "tests/heap/heap_rig.h"

namespace tandem::heap {
namespace {

using internal::kSmallBytes;

class ThreadAllocatorTest : public ::testing::Test {
 protected:
  // Makes the block one that a sweep has left with these pages or lines free, on local pages with
  // old contents.
  BlockIndex MakeUsedBlock(HeapRig& rig, BlockKind kind) {
    const BlockIndex b = *rig.pool().Take(kind, Effort::kCheap, true, rig.pool().cycle());
    FillWords(rig.space().blocks.AddressOf(b), kBlockBytes, ~uint64_t{0});
    Block& block = rig.block(b);
    for (uint64_t& word : block.free_line_map) word = 0;
    block.free_lines = 0;
    block.owned.store(false);
    return b;
  }
  static void FreeLines(HeapRig& rig, BlockIndex b, size_t first, size_t count) {
    Block& block = rig.block(b);
    for (size_t line = first; line < first + count; ++line) {
      block.free_line_map[line / 64] |= uint64_t{1} << (line % 64);
    }
    block.free_lines = static_cast<uint16_t>(block.free_lines + count);
  }
  static void FreePages(HeapRig& rig, BlockIndex b, size_t first, size_t count) {
    FreeLines(rig, b, first * kPageLines, count * kPageLines);
    rig.pager().MarkDead(uint64_t{b} * kBlockPages + first, count);
  }
};

TEST_F(ThreadAllocatorTest, RegionsAreZeroedLocalAndInsideOnePage) {
  HeapRig rig;
  ThreadAllocator allocator(rig.space(), rig.pool(), rig.port());
  std::map<uintptr_t, uintptr_t> regions;
  while (const auto region = allocator.NextRegion(false, 16, Effort::kCheap)) {
    const size_t bytes = region->end - region->start;
    ASSERT_GE(bytes, kLineBytes);
    ASSERT_EQ(region->start / base::kPageSize, (region->end - 1) / base::kPageSize);
    ASSERT_TRUE(AllWordsAre(region->start, bytes, 0));
    ASSERT_TRUE(rig.IsLocal(region->start));
    ASSERT_TRUE(regions.emplace(region->start, region->end).second);
    FillWords(region->start, bytes, 1);
  }
  EXPECT_EQ(regions.size(), 64 * kBlockPages);
  EXPECT_EQ(rig.pool().allocated_bytes(), 64 * kBlockBytes);
}

TEST_F(ThreadAllocatorTest, ObjectsWithReferencesAndLeavesHaveBlocksOfTheirOwn) {
  HeapRig rig;
  ThreadAllocator allocator(rig.space(), rig.pool(), rig.port());
  const auto kind = [&](uintptr_t address) { return rig.space().blocks.KindAt(address); };
  EXPECT_EQ(kind(allocator.NextRegion(false, 16, Effort::kCheap)->start), BlockKind::kSmall);
  EXPECT_EQ(kind(allocator.NextRegion(true, 16, Effort::kCheap)->start), BlockKind::kSmallLeaf);
  EXPECT_EQ(kind(*allocator.AllocateOverflow(true, 512, Effort::kCheap)), BlockKind::kSmallLeaf);
  EXPECT_EQ(kind(*allocator.AllocateMedium(false, 5000, Effort::kCheap)), BlockKind::kMedium);
  EXPECT_EQ(kind(*allocator.AllocateMedium(true, 5000, Effort::kCheap)), BlockKind::kMediumLeaf);
  EXPECT_EQ(kind(*allocator.AllocateLarge(false, 100'000)), BlockKind::kLargeHead);
  EXPECT_EQ(kind(*allocator.AllocateLarge(true, 100'000)), BlockKind::kLargeLeafHead);
}

TEST_F(ThreadAllocatorTest, HolesAreUsedAndClearedAndNothingElse) {
  HeapRig rig({.blocks = 1});
  const BlockIndex b = MakeUsedBlock(rig, BlockKind::kSmall);
  const uintptr_t base = rig.space().blocks.AddressOf(b);
  FreeLines(rig, b, 3, 2);
  FreeLines(rig, b, 14, 4);  // across a page boundary
  FreeLines(rig, b, 100, 16);
  FreePages(rig, b, 15, 1);
  rig.pool().AddPartial(b);
  ThreadAllocator allocator(rig.space(), rig.pool(), rig.port());
  const auto expect = [&](size_t line, size_t lines) {
    const auto region = allocator.NextRegion(false, 16, Effort::kCheap);
    ASSERT_TRUE(region.has_value());
    EXPECT_EQ(region->start, base + line * kLineBytes);
    EXPECT_EQ(region->end, base + (line + lines) * kLineBytes);
    EXPECT_TRUE(AllWordsAre(region->start, region->end - region->start, 0));
  };
  expect(3, 2);
  expect(14, 2);
  expect(16, 2);
  expect(100, 12);
  expect(112, 4);
  expect(240, 16);
  EXPECT_FALSE(allocator.NextRegion(false, 16, Effort::kCheap).has_value());
  EXPECT_EQ(rig.block(b).free_lines, 0);
  EXPECT_TRUE(AllWordsAre(base, 3 * kLineBytes, ~uint64_t{0}));
  EXPECT_TRUE(AllWordsAre(base + 5 * kLineBytes, 9 * kLineBytes, ~uint64_t{0}));
}

TEST_F(ThreadAllocatorTest, HolesThatAreTooSmallAreLeftForOthers) {
  HeapRig rig({.blocks = 1});
  const BlockIndex b = MakeUsedBlock(rig, BlockKind::kSmall);
  const uintptr_t base = rig.space().blocks.AddressOf(b);
  FreeLines(rig, b, 0, 15);
  FreeLines(rig, b, 20, 2);
  rig.pool().AddPartial(b);
  ThreadAllocator allocator(rig.space(), rig.pool(), rig.port());
  const auto large = allocator.NextRegion(false, kSmallBytes, Effort::kCheap);
  ASSERT_TRUE(large.has_value());
  EXPECT_EQ(large->start, base);
  EXPECT_FALSE(allocator.NextRegion(false, kSmallBytes, Effort::kLastResort).has_value());
  EXPECT_EQ(rig.block(b).free_lines, 2);
}

TEST_F(ThreadAllocatorTest, NoTwoRegionsOfThreadsOverlap) {
  HeapRig rig({.blocks = 48, .local_pages = 256});
  const uint64_t seed = TestSeed();
  std::vector<std::vector<std::pair<uintptr_t, uintptr_t>>> all(3);
  std::vector<std::thread> threads;
  for (size_t t = 0; t < all.size(); ++t) {
    threads.emplace_back([&, t] {
      swap::BoundPort port(rig.pager());
      Random random(seed + t);
      ThreadAllocator allocator(rig.space(), rig.pool(), *port);
      std::vector<std::pair<uintptr_t, uintptr_t>>& mine = all[t];
      for (size_t i = 0; i < 200; ++i) {
        const bool leaf = random.OneIn(2);
        size_t bytes = 0;
        std::optional<uintptr_t> start;
        switch (random.Below(4)) {
          case 0:
            if (const auto region = allocator.NextRegion(leaf, 256, Effort::kLastResort)) {
              start = region->start;
              bytes = region->end - region->start;
            }
            break;
          case 1:
            bytes = random.Between(257, kSmallBytes) & ~size_t{15};
            start = allocator.AllocateOverflow(leaf, bytes, Effort::kLastResort);
            break;
          case 2:
            bytes = random.Between(kSmallBytes + 16, kMediumBytes) & ~size_t{15};
            start = allocator.AllocateMedium(leaf, bytes, Effort::kLastResort);
            break;
          default:
            bytes = random.Between(kMediumBytes + 16, 3 * kBlockBytes) & ~size_t{15};
            start = allocator.AllocateLarge(leaf, bytes);
        }
        if (!start) continue;
        ASSERT_EQ(*start % kGranuleBytes, 0u);
        ASSERT_TRUE(AllWordsAre(*start, bytes, 0));
        FillWords(*start, bytes, *start);
        mine.push_back({*start, *start + bytes});
      }
      for (const auto& [start, end] : mine) ASSERT_TRUE(AllWordsAre(start, end - start, start));
    });
  }
  for (auto& thread : threads) thread.join();
  std::vector<std::pair<uintptr_t, uintptr_t>> sorted;
  for (const auto& some : all) sorted.insert(sorted.end(), some.begin(), some.end());
  ASSERT_FALSE(sorted.empty());
  std::sort(sorted.begin(), sorted.end());
  for (size_t i = 1; i < sorted.size(); ++i) ASSERT_LE(sorted[i - 1].second, sorted[i].first);
}

TEST_F(ThreadAllocatorTest, FarHolesAreOnlyUsedAsALastResort) {
  HeapRig rig({.blocks = 32, .local_pages = 64});
  // Two pages with holes; what they hold is written back once they are far.
  const BlockIndex b = MakeUsedBlock(rig, BlockKind::kSmall);
  const uintptr_t base = rig.space().blocks.AddressOf(b);
  const BlockIndex others = *rig.pool().TakeLarge(BlockKind::kLargeHead, 16, 0);
  FreeLines(rig, b, 0, 10);
  FreeLines(rig, b, 16, 10);
  rig.Evict(base, base + 2 * base::kPageSize, others);
  (void)WordsAt(base)[0];  // the first page is local again
  rig.pool().AddPartial(b);
  const uint64_t read = rig.ReadBytes();

  ThreadAllocator allocator(rig.space(), rig.pool(), rig.port());
  const auto first = allocator.NextRegion(false, 16, Effort::kCheap);
  ASSERT_TRUE(first.has_value());
  EXPECT_EQ(first->start, base);
  while (const auto region = allocator.NextRegion(false, 16, Effort::kCheap)) {
    ASSERT_NE(region->start, base + 16 * kLineBytes);
  }
  EXPECT_EQ(rig.ReadBytes(), read);
  // Not a far hole was fetched; as a last resort it is, if the pool still offers the block.
  rig.pool().AddPartial(b);
  const auto last = allocator.NextRegion(false, 16, Effort::kLastResort);
  ASSERT_TRUE(last.has_value());
  EXPECT_EQ(last->start, base + 16 * kLineBytes);
  EXPECT_TRUE(AllWordsAre(last->start, last->end - last->start, 0));
  EXPECT_EQ(WordsAt(last->end)[0], ~uint64_t{0});
}

TEST_F(ThreadAllocatorTest, OverflowObjectsFollowEachOther) {
  HeapRig rig;
  ThreadAllocator allocator(rig.space(), rig.pool(), rig.port());
  const uintptr_t first = *allocator.AllocateOverflow(false, 1024, Effort::kCheap);
  EXPECT_EQ(*allocator.AllocateOverflow(false, 512, Effort::kCheap), first + 1024);
  const uintptr_t other = *allocator.AllocateOverflow(true, 1024, Effort::kCheap);
  EXPECT_NE(other / kBlockBytes, first / kBlockBytes);
  EXPECT_EQ(*allocator.AllocateOverflow(false, 2048, Effort::kCheap), first + 1536);
  const uintptr_t next = *allocator.AllocateOverflow(false, 2048, Effort::kCheap);
  EXPECT_EQ(next % base::kPageSize, 0u);
}

TEST_F(ThreadAllocatorTest, AMediumObjectHasWholeZeroedPages) {
  HeapRig rig;
  ThreadAllocator allocator(rig.space(), rig.pool(), rig.port());
  for (size_t bytes = kSmallBytes + 16; bytes <= kMediumBytes; bytes += 2000) {
    const uintptr_t object = *allocator.AllocateMedium(false, bytes, Effort::kCheap);
    EXPECT_EQ(object % base::kPageSize, 0u);
    EXPECT_EQ(object / kBlockBytes, (object + bytes - 1) / kBlockBytes);
    EXPECT_TRUE(AllWordsAre(object, bytes & ~size_t{7}, 0));
    FillWords(object, base::RoundUp(bytes, base::kPageSize), 1);
  }
}

// A full heap must be told from one with room, so that its owner can collect.
TEST_F(ThreadAllocatorTest, ABlockWhoseHolesAreAllTooSmallIsNotTriedForEver) {
  HeapRig rig({.blocks = 2, .local_pages = 64});
  ThreadAllocator allocator(rig.space(), rig.pool(), rig.port());
  for (int i = 0; i < 10; ++i) {  // five of three pages a block
    ASSERT_TRUE(allocator.AllocateMedium(false, 3 * base::kPageSize, Effort::kCheap).has_value());
  }
  const size_t two_pages = 2 * base::kPageSize;
  EXPECT_FALSE(allocator.AllocateMedium(false, two_pages, Effort::kLastResort).has_value());
  // What is left is still there for objects that fit.
  for (int i = 0; i < 2; ++i) {
    EXPECT_TRUE(allocator.AllocateMedium(false, 4000, Effort::kLastResort).has_value());
  }
  EXPECT_FALSE(allocator.AllocateMedium(false, 4000, Effort::kLastResort).has_value());
}

TEST_F(ThreadAllocatorTest, AMediumObjectIsZeroOnPagesOfEveryKind) {
  Random random(TestSeed());
  for (size_t round = 0; round < Rounds(300); ++round) {
    HeapRig rig({.blocks = 20, .local_pages = 64});
    const BlockIndex b = MakeUsedBlock(rig, BlockKind::kMedium);
    const uintptr_t base = rig.space().blocks.AddressOf(b);
    const BlockIndex others = *rig.pool().TakeLarge(BlockKind::kLargeHead, 16, 0);
    if (random.OneIn(2)) {
      rig.Evict(base, base + kBlockBytes, others);
      for (size_t page = 0; page < kBlockPages; ++page) {
        if (random.OneIn(2)) (void)WordsAt(base + page * base::kPageSize)[0];
      }
    }
    for (size_t page = 0; page < kBlockPages; ++page) {
      if (!random.OneIn(4)) FreePages(rig, b, page, 1);
    }
    rig.pool().AddPartial(b);
    ThreadAllocator allocator(rig.space(), rig.pool(), rig.port());
    while (true) {
      const size_t bytes = random.Between(1, 4) * base::kPageSize;
      const auto object = allocator.AllocateMedium(false, bytes, Effort::kLastResort);
      if (!object) break;
      ASSERT_TRUE(AllWordsAre(*object, bytes, 0))
          << "round " << round << ", " << bytes << " bytes at page "
          << (*object - base) / base::kPageSize;
      FillWords(*object, bytes, 1);
    }
  }
}

// The first page of the object is local and holds the dead; the second is fresh.
TEST_F(ThreadAllocatorTest, AMediumObjectIsZeroWhereAFreshPageFollowsAUsedOne) {
  HeapRig rig({.blocks = 20, .local_pages = 64});
  const BlockIndex b = MakeUsedBlock(rig, BlockKind::kMedium);
  const uintptr_t base = rig.space().blocks.AddressOf(b);
  const BlockIndex others = *rig.pool().TakeLarge(BlockKind::kLargeHead, 16, 0);
  rig.Evict(base, base + 2 * base::kPageSize, others);
  (void)WordsAt(base)[0];
  FreePages(rig, b, 0, 2);
  rig.pool().AddPartial(b);
  ThreadAllocator allocator(rig.space(), rig.pool(), rig.port());
  const auto object = allocator.AllocateMedium(false, 2 * base::kPageSize, Effort::kCheap);
  ASSERT_EQ(object, base);
  EXPECT_TRUE(AllWordsAre(base, base::kPageSize, 0));
  EXPECT_TRUE(AllWordsAre(base + base::kPageSize, base::kPageSize, 0));
}

TEST_F(ThreadAllocatorTest, ALargeObjectIsZeroWhateverItsBlocksHeldBefore) {
  HeapRig rig({.blocks = 16, .local_pages = 64});
  ThreadAllocator allocator(rig.space(), rig.pool(), rig.port());
  const size_t bytes = 10 * kBlockBytes - 100;
  for (uint64_t round = 1; round <= 3; ++round) {
    const uintptr_t object = *allocator.AllocateLarge(false, bytes & ~size_t{15});
    const BlockIndex first = rig.space().blocks.BlockOf(object);
    EXPECT_EQ(rig.block(first).extent, 10u);
    EXPECT_TRUE(rig.IsLocal(object));
    ASSERT_TRUE(AllWordsAre(object, 10 * kBlockBytes - 112, 0));
    FillWords(object, 10 * kBlockBytes, round);
    // Some of the pages die, of others nobody was told.
    rig.pager().MarkDead(uint64_t{first} * kBlockPages, 10 * kBlockPages - round * 20);
    rig.pool().AddFree(first, 10);
  }
  EXPECT_EQ(rig.pool().allocated_bytes(), 3 * 10 * kBlockBytes);
}

TEST_F(ThreadAllocatorTest, MemoryIsBornMarkedWhileMarkingGoesOn) {
  HeapRig rig;
  ThreadAllocator allocator(rig.space(), rig.pool(), rig.port());
  const auto marked = [&](uintptr_t address) { return rig.tables().IsMarked(address); };
  const Region before = *allocator.NextRegion(false, 16, Effort::kCheap);
  const uintptr_t overflow = *allocator.AllocateOverflow(false, 512, Effort::kCheap);
  allocator.BeginMarking();
  EXPECT_FALSE(marked(before.start));  // the caller's to mark
  EXPECT_FALSE(marked(overflow));
  EXPECT_TRUE(marked(*allocator.AllocateOverflow(false, 512, Effort::kCheap)));
  const Region during = *allocator.NextRegion(false, 16, Effort::kCheap);
  for (uintptr_t a = during.start; a < during.end; a += kGranuleBytes) ASSERT_TRUE(marked(a));
  EXPECT_FALSE(marked(during.end));
  EXPECT_TRUE(marked(*allocator.AllocateMedium(false, 5000, Effort::kCheap)));
  EXPECT_TRUE(marked(*allocator.AllocateLarge(false, 100'000)));
  rig.pool().BeginSweep();
  allocator.EndMarking();
  EXPECT_FALSE(marked(allocator.NextRegion(false, 16, Effort::kCheap)->start));
  EXPECT_FALSE(marked(*allocator.AllocateMedium(false, 5000, Effort::kCheap)));
  EXPECT_FALSE(marked(*allocator.AllocateLarge(false, 100'000)));
}

TEST_F(ThreadAllocatorTest, EndOfMarkingGivesBlocksToTheSweepAndTakesTheNewCycleOver) {
  HeapRig rig;
  ThreadAllocator allocator(rig.space(), rig.pool(), rig.port());
  const Region before = *allocator.NextRegion(false, 16, Effort::kCheap);
  const BlockIndex old = rig.space().blocks.BlockOf(before.start);
  rig.pool().BeginSweep();
  allocator.EndMarking();
  EXPECT_FALSE(rig.block(old).owned.load());
  EXPECT_NE(rig.block(old).swept_cycle, rig.pool().cycle());
  const Region after = *allocator.NextRegion(false, 16, Effort::kCheap);
  const BlockIndex fresh = rig.space().blocks.BlockOf(after.start);
  EXPECT_NE(fresh, old);
  EXPECT_EQ(rig.block(fresh).swept_cycle, rig.pool().cycle());
}

TEST_F(ThreadAllocatorTest, ItsEndReleasesItsBlocks) {
  HeapRig rig;
  BlockIndex block = 0;
  {
    ThreadAllocator allocator(rig.space(), rig.pool(), rig.port());
    block = rig.space().blocks.BlockOf(allocator.NextRegion(false, 16, Effort::kCheap)->start);
    EXPECT_TRUE(rig.block(block).owned.load());
  }
  EXPECT_FALSE(rig.block(block).owned.load());
}

}  // namespace
}  // namespace tandem::heap
