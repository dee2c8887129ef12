#include "runtime/swap/mapper.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <vector>

#include "tests/swap/parts.h"

namespace tandem::swap {
namespace {

class MapperTest : public PartsTest {
 protected:
  void SetUp() override {
    PartsTest::SetUp();
    if (IsSkipped()) return;
    mapper_ = std::make_unique<Mapper>(*uffd_, *staging_, *roads_, moved_, copied_);
  }

  uintptr_t AddressOf(PageIndex page) const { return table_->AddressOf(page); }
  bool Holds(PageIndex page, int byte) { return AllAre(Bytes(page), byte); }
  // As if pages had been read into slots.
  SlotRun Read(size_t want, int byte) {
    const SlotRun run = staging_->TakeReady(want);
    std::memset(staging_->Data(run.first), byte, run.count * base::kPageSize);
    return run;
  }
  size_t FreeSlots() {
    std::vector<SlotRun> runs;
    size_t n = 0;
    while (true) {
      SlotRun run = staging_->TryTakeReady(Staging::kMaxRun);
      if (run.count == 0) run = staging_->TryMakeReady(Staging::kMaxRun);
      if (run.count == 0) break;
      n += run.count;
      runs.push_back(run);
    }
    for (const SlotRun run : runs) staging_->PutReady(run);
    return n;
  }

  base::Counter moved_;
  base::Counter copied_;
  std::unique_ptr<Mapper> mapper_;
};

TEST_P(MapperTest, MapsSinglePagesAndGivesTheirSlotsBack) {
  for (size_t page = 0; page < kPages; ++page) {
    mapper_->Map(AddressOf(page), Read(1, static_cast<int>(page % 251)));
  }
  for (size_t page = 0; page < kPages; ++page) {
    ASSERT_TRUE(Holds(page, static_cast<int>(page % 251))) << page;
  }
  EXPECT_EQ(FreeSlots(), Staging::kSlots);
  EXPECT_EQ(moved_.Value() + copied_.Value(), kPages);
}

TEST_P(MapperTest, TakesTheRoadThatIsChosen) {
  if (UseMove()) Prefer(true, *roads_);
  for (PageIndex page = 0; page < 10; ++page) mapper_->Map(AddressOf(page), Read(1, 7));
  EXPECT_EQ(moved_.Value(), UseMove() ? 10u : 0u);
  if (UseMove()) Prefer(false, *roads_);
  for (PageIndex page = 10; page < 20; ++page) mapper_->Map(AddressOf(page), Read(1, 7));
  EXPECT_EQ(copied_.Value(), UseMove() ? 10u : 20u);
  mapper_->MapZeroes(AddressOf(20), 1);
  for (PageIndex page = 0; page < 20; ++page) EXPECT_TRUE(Holds(page, 7)) << page;
  EXPECT_TRUE(Holds(20, 0));
  EXPECT_EQ(FreeSlots(), Staging::kSlots);
}

TEST_P(MapperTest, MapsRuns) {
  for (size_t page = 0; page < kPages;) {
    const int byte = static_cast<int>(1 + page % 251);
    const SlotRun run = Read(std::min<size_t>(1 + page % 40, kPages - page), byte);
    mapper_->Map(AddressOf(page), run);
    for (size_t i = 0; i < run.count; ++i) ASSERT_TRUE(Holds(page + i, byte)) << page + i;
    page += run.count;
  }
  EXPECT_EQ(FreeSlots(), Staging::kSlots);
}

TEST_P(MapperTest, MapsZeroesWhateverLiesInTheSlots) {
  // Frames of evicted pages, fewer than are wanted.
  for (int i = 0; i < 3; ++i) staging_->PutReady(Read(5, 9));
  for (size_t page = 0; page < kPages; page += Mapper::kMaxZeroes) {
    mapper_->MapZeroes(AddressOf(page), Mapper::kMaxZeroes);
  }
  for (size_t page = 0; page < kPages; ++page) ASSERT_TRUE(Holds(page, 0)) << page;
  EXPECT_EQ(FreeSlots(), Staging::kSlots);
}

TANDEM_ON_BOTH_ROADS(MapperTest);

}  // namespace
}  // namespace tandem::swap
