#include "runtime/heap/side_tables.h"

#include <gtest/gtest.h>

#include <thread>
#include <utility>
#include <vector>

#include "tests/base/random.h"

namespace tandem::heap {
namespace {

using tandem::testing::Random;
using tandem::testing::Rounds;
using tandem::testing::TestSeed;

constexpr uintptr_t kBase = uintptr_t{1} << 40;  // never touched
constexpr size_t kGranules = 2 * kBlockGranules;

SideTables MakeTables() {
  return std::move(SideTables::Create(kBase, kGranules * kGranuleBytes).value());
}
uintptr_t AddressOf(size_t granule) { return kBase + granule * kGranuleBytes; }

TEST(SideTables, KnowsAnObjectByItsFirstAndLastGranule) {
  SideTables tables = MakeTables();
  tables.AddObject(AddressOf(100), 3 * kGranuleBytes);
  EXPECT_TRUE(tables.IsStart(AddressOf(100)));
  EXPECT_FALSE(tables.IsStart(AddressOf(101)));
  EXPECT_TRUE(SideTables::Test(tables.ends(), 102));
  EXPECT_FALSE(SideTables::Test(tables.ends(), 103));
  tables.AddObject(AddressOf(103), kGranuleBytes);
  EXPECT_TRUE(tables.IsStart(AddressOf(103)));
  EXPECT_TRUE(SideTables::Test(tables.ends(), 103));
}

TEST(SideTables, OnlyOneThreadMarksAnObject) {
  SideTables tables = MakeTables();
  std::vector<std::thread> threads;
  std::atomic<size_t> marked{0};
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      size_t mine = 0;
      for (size_t granule = 0; granule < 2000; ++granule) mine += tables.Mark(AddressOf(granule));
      marked += mine;
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(marked.load(), 2000u);
  EXPECT_TRUE(tables.IsMarked(AddressOf(1999)));
  EXPECT_FALSE(tables.IsMarked(AddressOf(2000)));
}

TEST(SideTables, MarksExactlyTheGranulesOfARange) {
  Random random(TestSeed());
  for (size_t round = 0; round < Rounds(300); ++round) {
    SideTables tables = MakeTables();
    std::vector<bool> expected(kGranules);
    for (int range = 0; range < 4; ++range) {
      const size_t from = random.Below(kGranules);
      const size_t to = from + random.Below(std::min<size_t>(kGranules - from + 1, 200));
      tables.MarkRange(AddressOf(from), AddressOf(to));
      for (size_t g = from; g < to; ++g) expected[g] = true;
    }
    for (size_t g = 0; g < kGranules; ++g) {
      ASSERT_EQ(tables.IsMarked(AddressOf(g)), expected[g]) << "granule " << g;
    }
  }
}

TEST(SideTables, FindsStartsAndEndsAsAWalkWould) {
  Random random(TestSeed());
  for (size_t round = 0; round < Rounds(100); ++round) {
    SideTables tables = MakeTables();
    const size_t one_in = size_t{1} << random.Between(0, 10);
    std::vector<bool> bits(kGranules);
    for (size_t g = 0; g < kGranules; ++g) {
      bits[g] = random.OneIn(one_in);
      if (!bits[g]) continue;
      tables.starts()[g / 64] |= uint64_t{1} << (g % 64);
      tables.ends()[g / 64] |= uint64_t{1} << (g % 64);
    }
    for (size_t query = 0; query < 300; ++query) {
      const size_t granule = random.Below(kGranules);
      const size_t lowest = random.Below(granule + 1);
      size_t start = granule + 1;
      while (start > lowest && !bits[start - 1]) --start;
      ASSERT_EQ(tables.FindStart(granule, lowest), start > lowest ? start - 1 : SIZE_MAX)
          << granule << " down to " << lowest;
      const size_t limit = random.Between(granule + 1, kGranules);
      size_t end = granule;
      while (end < limit && !bits[end]) ++end;
      ASSERT_EQ(tables.FindEnd(granule, limit), end < limit ? end : SIZE_MAX)
          << granule << " up to " << limit;
    }
  }
}

}  // namespace
}  // namespace tandem::heap
