#include "runtime/prefetch/leap.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/prefetch/replay.h"

namespace tandem::prefetch {
namespace {

using ::testing::ElementsAre;
using ::testing::Eq;
using testing::Hit;
using ::testing::IsEmpty;
using testing::Miss;
using ::testing::Optional;
using testing::Replay;
using testing::Sequence;

// A history that the trend's rules can be read off: no hits.
void MissAll(Leap& leap, std::initializer_list<Page> pages) {
  for (const Page page : pages) Miss(leap, page);
}

// In the manner of the paper's example: 8 distances, looked at in halves. Two trends, with
// accesses aside between and in the second one.
TEST(LeapTrend, IsFoundInTheNewerHalfElseInTheWhole) {
  Leap leap(8, 2);
  MissAll(leap, {0x48, 0x45, 0x42});
  EXPECT_EQ(leap.FindTrend(), std::nullopt);  // two of four
  Miss(leap, 0x3f);
  EXPECT_THAT(leap.FindTrend(), Optional(Eq(-3)));
  MissAll(leap, {0x3c, 0x02});
  EXPECT_THAT(leap.FindTrend(), Optional(Eq(-3)));  // three of the newest four
  Miss(leap, 0x04);                                 // -3 -3 -58 +2: no majority, and -3 is 4 of 8
  EXPECT_EQ(leap.FindTrend(), std::nullopt);
  Miss(leap, 0x06);
  EXPECT_EQ(leap.FindTrend(), std::nullopt);
  Miss(leap, 0x08);
  EXPECT_THAT(leap.FindTrend(), Optional(Eq(2)));
  MissAll(leap, {0x0a, 0x0c, 0x10, 0x39, 0x12, 0x14, 0x16});
  // +41 -39 +2 +2 has no majority; with +2 +2 +2 +4 before it, it has.
  EXPECT_THAT(leap.FindTrend(), Optional(Eq(2)));
}

TEST(LeapTrend, NeedsMoreThanHalfOfTheSmallestWindowAtFirst) {
  Leap leap;
  for (Page p = 0; p < 5; ++p) {
    Miss(leap, p);
    EXPECT_EQ(leap.FindTrend(), std::nullopt) << p;
  }
  Miss(leap, 5);  // the fifth distance of one
  EXPECT_THAT(leap.FindTrend(), Optional(Eq(1)));
}

TEST(LeapTrend, OutlivesSomeAccessesAside) {
  Leap leap;
  for (Page p = 0; p <= 24; ++p) Miss(leap, p);
  // Eight distances without a majority: the newest quarter and half have none, but the whole has
  // 24 of 32.
  MissAll(leap, {1000, 50, 7000, 40, 900, 30, 5000, 20});
  EXPECT_THAT(leap.FindTrend(), Optional(Eq(1)));
}

TEST(LeapTrend, IsOneOfTheNewestQuarterFirst) {
  Leap leap;
  for (Page p = 0; p <= 32; ++p) Miss(leap, p);
  for (Page p = 1; p <= 5; ++p) Miss(leap, 32 + 7 * p);
  EXPECT_THAT(leap.FindTrend(), Optional(Eq(7)));
}

TEST(Leap, WidensItsWindowWithTheHits) {
  Leap leap;
  for (Page p = 100; p < 105; ++p) EXPECT_THAT(Miss(leap, p), IsEmpty());
  EXPECT_THAT(Miss(leap, 105), ElementsAre(106));
  EXPECT_THAT(Hit(leap, 106), IsEmpty());
  EXPECT_THAT(Miss(leap, 107), ElementsAre(108, 109));
  for (Page p = 108; p <= 109; ++p) Hit(leap, p);
  EXPECT_THAT(Miss(leap, 110), ElementsAre(111, 112, 113, 114));
  for (Page p = 111; p <= 114; ++p) Hit(leap, p);
  EXPECT_THAT(Miss(leap, 115), ElementsAre(116, 117, 118, 119, 120, 121, 122, 123));
  for (Page p = 116; p <= 123; ++p) Hit(leap, p);
  EXPECT_EQ(Miss(leap, 124).size(), 8u);  // and no further
}

TEST(Leap, FollowsStridesAndGoesBackwards) {
  for (const Page stride : {-1, 3, -17, 1000}) {
    Leap leap;
    const auto outcome = Replay(leap, Sequence(100'000, stride, 96));
    EXPECT_EQ(outcome.misses, 17u) << stride;  // six, then after 1, 2, 4 and 8, 8, ... pages
    EXPECT_EQ(outcome.hits, 79u) << stride;
    EXPECT_LE(outcome.prefetched, outcome.hits + 8) << stride;
  }
}

TEST(Leap, HalvesItsWindowWithEachMissAsideAndKeepsTheTrend) {
  Leap leap;
  Replay(leap, Sequence(100, 1, 25));  // ends with the miss of 124, which names 125 to 132
  EXPECT_THAT(Miss(leap, 9000), ElementsAre(9001, 9002, 9003, 9004));
  EXPECT_THAT(Miss(leap, 5000), ElementsAre(5001, 5002));
  EXPECT_THAT(Miss(leap, 7000), ElementsAre(7001));
  EXPECT_THAT(Miss(leap, 3000), IsEmpty());
  EXPECT_THAT(Miss(leap, 8000), IsEmpty());
  // Along the old trend again: one page.
  EXPECT_THAT(Miss(leap, 8001), ElementsAre(8002));
}

TEST(Leap, GoesByItsLastTrendWhereThereIsNoneNow) {
  Leap leap(8, 2);
  MissAll(leap, {0x48, 0x45, 0x42, 0x3f, 0x3c, 0x02});
  Miss(leap, 0x04);
  ASSERT_EQ(leap.FindTrend(), std::nullopt);
  Hit(leap, 0x06);  // as if somebody had prefetched it
  EXPECT_THAT(Miss(leap, 0x30), ElementsAre(0x2d, 0x2a));
}

TEST(Leap, TakesUpAStreamAfterAPhaseOfAnother) {
  Leap leap;
  Replay(leap, Sequence(0, 1, 200));
  // Five misses by the new distance make a majority; the old trend has what is left of the window
  // until then.
  const auto outcome = Replay(leap, Sequence(50'000, 5, 100));
  EXPECT_EQ(outcome.misses, 17u);
  EXPECT_EQ(outcome.hits, 83u);
}

TEST(Leap, FindsNothingInTwoInterleavedStreams) {
  Leap leap;
  for (Page i = 0; i < 50; ++i) {
    EXPECT_THAT(Miss(leap, 100 + i), IsEmpty());
    EXPECT_THAT(Miss(leap, 5000 + i), IsEmpty());
  }
}

TEST(Leap, EndsAtPageZero) {
  Leap leap;
  Replay(leap, Sequence(38, -1, 24));  // 15 is the last page of a window of eight
  EXPECT_THAT(Miss(leap, 14), ElementsAre(13, 12, 11, 10, 9, 8, 7, 6));
  for (Page p = 13; p >= 6; --p) Hit(leap, p);
  EXPECT_THAT(Miss(leap, 5), ElementsAre(4, 3, 2, 1, 0));
}

TEST(Leap, ServesMostOfAScanAndSparesAChase) {
  Leap scanning;
  const auto scan = Replay(scanning, testing::kScan);
  EXPECT_GT(scan.hits, scan.misses);
  Leap chasing;
  EXPECT_EQ(Replay(chasing, testing::kChase).prefetched, 0u);
}

}  // namespace
}  // namespace tandem::prefetch
