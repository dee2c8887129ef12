#include "runtime/swap/clock_replacement.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <utility>
#include <vector>

namespace tandem::swap {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class ClockReplacementTest : public ::testing::Test {
 protected:
  static constexpr size_t kPages = 16;

  ClockReplacementTest()
      : heap_(std::move(base::OsMemory::Reserve(PageTable::kAlignment, PageTable::kAlignment,
                                                "a test's heap", PROT_NONE)
                            .value())),
        table_(std::move(PageTable::Create(heap_.address(), 64).value())) {
    table_->Extend(kPages);
  }

  void Set(PageIndex page, PageState state) { table_->state(page).store(state); }
  PageState Get(PageIndex page) { return table_->state(page).load(); }

  std::vector<PageIndex> Select(size_t want) {
    std::vector<Victim> victims(want);
    victims.resize(clock_.Select(*table_, victims));
    std::vector<PageIndex> pages;
    for (const Victim& victim : victims) pages.push_back(victim.page);
    for (const PageIndex page : pages) EXPECT_EQ(Get(page), kLeaving);
    return pages;
  }

  base::OsMemory heap_;
  std::unique_ptr<PageTable> table_;
  ClockReplacement clock_;
};

TEST_F(ClockReplacementTest, FindsNothingWhereNothingIsLocal) {
  Set(1, kFetching);
  Set(2, kLeaving);
  Set(3, kWriting);
  Set(4, kFar);
  EXPECT_THAT(Select(8), IsEmpty());
  EXPECT_EQ(Get(0), kFar | kFresh);
  EXPECT_EQ(Get(1), kFetching);
  EXPECT_EQ(Get(2), kLeaving);
  EXPECT_EQ(Get(3), kWriting);
  EXPECT_EQ(Get(4), kFar);
}

TEST_F(ClockReplacementTest, LooksOnlyAtPagesInUse) {
  // The byte of a page that was never given to the heap is zero, as a local page's is.
  EXPECT_EQ(Get(kPages), kLocal);
  EXPECT_THAT(Select(8), IsEmpty());
  EXPECT_EQ(Get(kPages), 0u);
}

TEST_F(ClockReplacementTest, ATouchedPageHasASecondChance) {
  Set(2, kLocal);
  Set(5, kLocal | kUntouched);
  EXPECT_THAT(Select(1), ElementsAre(5));
  EXPECT_EQ(Get(2), kLocal | kUntouched);
  Set(2, kLocal);  // touched again
  Set(7, kLocal | kUntouched);
  EXPECT_THAT(Select(1), ElementsAre(7));
  EXPECT_THAT(Select(1), ElementsAre(2));
}

TEST_F(ClockReplacementTest, TakesTouchedPagesWhenThereAreNoOthers) {
  Set(3, kLocal);
  Set(4, kLocal | kArmed);
  EXPECT_THAT(Select(8), ElementsAre(3, 4));
}

TEST_F(ClockReplacementTest, DeadPagesGoAtOnce) {
  for (PageIndex page = 0; page < 4; ++page) Set(page, kLocal);
  table_->hash(2).store(kDeadContent);
  EXPECT_THAT(Select(1), ElementsAre(2));
}

TEST_F(ClockReplacementTest, ColdAndUnusedPrefetchedPagesGoAtOnce) {
  for (PageIndex page = 0; page < 6; ++page) Set(page, kLocal);
  Set(2, kLocal | kUntouched | kCold);
  Set(4, kLocal | kUntouched | kPrefetched);
  EXPECT_THAT(Select(2), ElementsAre(2, 4));
}

TEST_F(ClockReplacementTest, GoesRoundInTheOrderOfAddresses) {
  for (PageIndex page = 0; page < kPages; ++page) Set(page, kLocal | kUntouched);
  EXPECT_THAT(Select(3), ElementsAre(0, 1, 2));
  Set(0, kLocal | kUntouched);
  EXPECT_THAT(Select(3), ElementsAre(3, 4, 5));
  EXPECT_THAT(Select(kPages), ElementsAre(6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 0));
}

TEST_F(ClockReplacementTest, PinnedPagesStay) {
  for (PageIndex page = 0; page < 4; ++page) Set(page, kLocal | kUntouched);
  table_->pins(1).store(1);
  table_->pins(3).store(2);
  EXPECT_THAT(Select(4), ElementsAre(0, 2));
  EXPECT_THAT(Select(4), IsEmpty());
  table_->pins(1).store(0);
  EXPECT_THAT(Select(4), ElementsAre(1));
}

TEST_F(ClockReplacementTest, FindsPagesThatAreGivenToTheHeapLater) {
  Set(15, kLocal | kUntouched);
  EXPECT_THAT(Select(1), ElementsAre(15));
  table_->Extend(32);
  Set(16, kLocal | kUntouched);
  Set(31, kLocal | kUntouched);
  EXPECT_THAT(Select(4), ElementsAre(16, 31));
}

}  // namespace
}  // namespace tandem::swap
