#include "runtime/prefetch/stride.h"

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
using testing::Sequence;

TEST(Stride, BeginsWhenADistanceComesTwiceInARow) {
  Stride s;
  EXPECT_THAT(Miss(s, 100), IsEmpty());
  EXPECT_THAT(Miss(s, 107), IsEmpty());
  EXPECT_THAT(Miss(s, 114), ElementsAre(121, 128));
}

TEST(Stride, MissesNothingMoreOfASteadyStream) {
  for (const Page stride : {1, -1, 4, -33}) {
    Stride s;
    const auto outcome = Replay(s, Sequence(10'000, stride, 100));
    EXPECT_EQ(outcome.misses, 3u) << stride;
    EXPECT_EQ(outcome.hits, 97u) << stride;
    EXPECT_EQ(outcome.prefetched, 97u + 16) << stride;
  }
}

TEST(Stride, KeepsItsStrideOverOneStepOfAnOuterLoop) {
  Stride s;
  for (Page p = 0; p < 8; ++p) Miss(s, p);
  EXPECT_THAT(Miss(s, 100), IsEmpty());
  EXPECT_THAT(Miss(s, 101), ElementsAre(102, 103));  // at once, where a new stride takes one more
}

TEST(Stride, IsStoppedForThreeMoreByOneAccessAside) {
  Stride s;
  for (Page p = 0; p < 8; ++p) Miss(s, p);
  EXPECT_THAT(Miss(s, 100), IsEmpty());
  for (Page p : {8, 9, 10}) EXPECT_THAT(Hit(s, p), IsEmpty());
  EXPECT_THAT(Hit(s, 11), ElementsAre(12, 13));
}

TEST(Stride, NeedsTwoRightAccessesMoreOnceItHasGivenUp) {
  Stride s;
  for (Page p : {100, 900, 300, 2000}) EXPECT_THAT(Miss(s, p), IsEmpty());
  EXPECT_THAT(Miss(s, 2001), IsEmpty());                // learns one
  EXPECT_THAT(Miss(s, 2002), IsEmpty());                // transient
  EXPECT_THAT(Miss(s, 2003), ElementsAre(2004, 2005));  // steady
}

TEST(Stride, TakesUpAStreamAfterAPhaseOfAnother) {
  Stride s;
  Replay(s, Sequence(0, 1, 100));
  // Initial, transient, steady.
  EXPECT_THAT(Miss(s, 5000), IsEmpty());
  EXPECT_THAT(Miss(s, 5003), IsEmpty());
  EXPECT_THAT(Miss(s, 5006), ElementsAre(5009, 5012));
}

TEST(Stride, FindsNothingInTwoInterleavedStreams) {
  Stride s;
  for (Page i = 0; i < 50; ++i) {
    EXPECT_THAT(Miss(s, 100 + i), IsEmpty());
    EXPECT_THAT(Miss(s, 5000 + i), IsEmpty());
  }
}

TEST(Stride, ServesMostOfAScanAndSparesAChase) {
  Stride scanning;
  const auto scan = Replay(scanning, testing::kScan);
  EXPECT_GT(scan.hits, 2 * scan.misses);
  Stride chasing;
  EXPECT_EQ(Replay(chasing, testing::kChase).prefetched, 0u);
}

}  // namespace
}  // namespace tandem::prefetch
