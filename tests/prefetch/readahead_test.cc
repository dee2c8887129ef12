#include "runtime/prefetch/readahead.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/prefetch/replay.h"

namespace tandem::prefetch {
namespace {

using ::testing::ElementsAre;
using testing::Hit;
using ::testing::IsEmpty;
using testing::Miss;
using testing::Replay;

// The windows are those of __swapin_nr_pages() and swap_vma_ra_win() for the same faults.

TEST(Readahead, OpensItsLargestWindowAroundTheFirstMiss) {
  Readahead r;
  EXPECT_THAT(Miss(r, 100), ElementsAre(101, 99, 102, 98, 103, 97, 104));
}

TEST(Readahead, GoesAheadOfAForwardScan) {
  Readahead r;
  Miss(r, 100);
  for (Page p = 101; p <= 104; ++p) EXPECT_THAT(Hit(r, p), IsEmpty());
  EXPECT_THAT(Miss(r, 105), ElementsAre(106, 107, 108, 109, 110, 111, 112));
  for (Page p = 106; p <= 112; ++p) EXPECT_THAT(Hit(r, p), IsEmpty());
  EXPECT_THAT(Miss(r, 113), ElementsAre(114, 115, 116, 117, 118, 119, 120));
}

TEST(Readahead, GoesAheadOfABackwardScan) {
  Readahead r;
  Miss(r, 100);
  for (Page p = 99; p >= 97; --p) Hit(r, p);
  EXPECT_THAT(Miss(r, 96), ElementsAre(95, 94, 93, 92, 91, 90, 89));
  for (Page p = 95; p >= 89; --p) Hit(r, p);
  EXPECT_THAT(Miss(r, 88), ElementsAre(87, 86, 85, 84, 83, 82, 81));
}

TEST(Readahead, HalvesTheWindowWithEachMissWithoutHits) {
  Readahead r;
  EXPECT_EQ(Miss(r, 1000).size(), 7u);
  EXPECT_THAT(Miss(r, 5000), ElementsAre(5001, 4999, 5002));
  EXPECT_THAT(Miss(r, 3000), ElementsAre(3001));
  EXPECT_THAT(Miss(r, 9000), IsEmpty());
  EXPECT_THAT(Miss(r, 2000), IsEmpty());
}

TEST(Readahead, BeginsAgainWithTwoPagesWhereTwoMissesAreNeighbours) {
  Readahead r;
  for (Page p : {1000, 5000, 3000, 9000}) Miss(r, p);
  EXPECT_THAT(Miss(r, 9001), ElementsAre(9002));
  Hit(r, 9002);
  EXPECT_THAT(Miss(r, 9003), ElementsAre(9004, 9005, 9006));
  for (Page p = 9004; p <= 9006; ++p) Hit(r, p);
  EXPECT_EQ(Miss(r, 9007).size(), 7u);
}

TEST(Readahead, BeginsAgainDownwards) {
  Readahead r;
  for (Page p : {1000, 5000, 3000, 9000}) Miss(r, p);
  EXPECT_THAT(Miss(r, 8999), ElementsAre(8998));
}

TEST(Readahead, IsOfLittleUseForAStride) {
  Readahead r;
  EXPECT_EQ(Miss(r, 100).size(), 7u);
  Hit(r, 104);
  // One hit: four pages, around the miss since 104 is not its neighbour.
  EXPECT_THAT(Miss(r, 108), ElementsAre(109, 107, 110));
  EXPECT_THAT(Miss(r, 112), ElementsAre(113));
  EXPECT_THAT(Miss(r, 116), IsEmpty());
  EXPECT_THAT(Miss(r, 120), IsEmpty());
}

TEST(Readahead, LosesTwoInterleavedStreams) {
  Readahead r;
  for (Page p : {1000, 5000, 3000, 9000}) Miss(r, p);
  for (Page i = 0; i < 20; ++i) {
    EXPECT_THAT(Miss(r, 100 + i), IsEmpty());
    EXPECT_THAT(Miss(r, 500 + i), IsEmpty());
  }
}

TEST(Readahead, TakesUpAStreamAfterAPhaseOfChance) {
  Readahead r;
  Replay(r, testing::kChase);
  const auto stream = testing::Sequence(20'000, 1, 64);
  const auto outcome = Replay(r, stream);
  EXPECT_EQ(outcome.misses, 11u);  // 1, 1, 2 and 4 pages long, then 8
  EXPECT_EQ(outcome.hits, 53u);
}

TEST(Readahead, EndsAtPageZero) {
  Readahead r;
  EXPECT_THAT(Miss(r, 0), ElementsAre(1, 2, 3, 4));
  Readahead down;
  Miss(down, 8);
  for (Page p = 7; p >= 5; --p) Hit(down, p);
  EXPECT_THAT(Miss(down, 4), ElementsAre(3, 2, 1, 0));
}

TEST(Readahead, ServesMostOfAScanAndSparesAChase) {
  Readahead scanning;
  const auto scan = Replay(scanning, testing::kScan);
  EXPECT_GT(scan.hits, 2 * scan.misses);
  Readahead chasing;
  const auto chase = Replay(chasing, testing::kChase);
  EXPECT_LT(chase.prefetched, chase.hits + chase.misses);
}

}  // namespace
}  // namespace tandem::prefetch
