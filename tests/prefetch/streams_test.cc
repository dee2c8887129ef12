#include "runtime/prefetch/streams.h"

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

TEST(Streams, OpensOneAtTheThirdAccessAtEqualDistances) {
  for (const Page stride : {1, -1, 7, -8}) {
    Streams s;
    EXPECT_THAT(Miss(s, 1000), IsEmpty());
    EXPECT_THAT(Miss(s, 1000 + stride), IsEmpty());
    EXPECT_THAT(Miss(s, 1000 + 2 * stride), ElementsAre(1000 + 3 * stride, 1000 + 4 * stride));
  }
}

TEST(Streams, FollowsAsManyAsItHasRoomForAtOnce) {
  Streams s;
  std::vector<Page> mixed;
  for (Page i = 0; i < 50; ++i) {
    for (Page stream = 0; stream < 4; ++stream) mixed.push_back(10'000 * (stream + 1) + i);
  }
  const auto outcome = Replay(s, mixed);
  EXPECT_EQ(outcome.misses, 4 * 3u);
}

TEST(Streams, IsNotStoppedByAccessesAside) {
  Streams s;
  for (Page p = 0; p < 8; ++p) Miss(s, p);
  for (Page p : {1000, 5000, 3000}) EXPECT_THAT(Miss(s, p), IsEmpty());
  EXPECT_THAT(Hit(s, 8), ElementsAre(24));
}

TEST(Streams, StepsOverPagesThatAreLocalAlready) {
  Streams s;
  // Two of three are here, and nobody asks for them.
  for (Page p : {10, 13}) EXPECT_THAT(Miss(s, p), IsEmpty());
  EXPECT_THAT(Miss(s, 14), ElementsAre(15, 16));
  EXPECT_THAT(Hit(s, 16), ElementsAre(17));  // half as far ahead as before
  EXPECT_THAT(Hit(s, 17), ElementsAre(18, 19));
}

TEST(Streams, ClosesTheOneLongestWithoutAnAccess) {
  Streams s;
  for (size_t i = 0; i <= Streams::kStreams; ++i) {
    for (Page p = 0; p < 3; ++p) Miss(s, static_cast<Page>(i) * 10'000 + p);
  }
  EXPECT_THAT(Hit(s, 3), IsEmpty());  // the first has made room
  EXPECT_THAT(Hit(s, 10'003), ElementsAre(10'005, 10'006, 10'007));
}

TEST(Streams, ServesMostOfAScanAndSparesAChase) {
  Streams scanning;
  const auto scan = Replay(scanning, testing::kScan);
  EXPECT_GT(scan.hits, 3 * scan.misses);
  Streams chasing;
  EXPECT_LE(Replay(chasing, testing::kChase).prefetched, 2u);
}

}  // namespace
}  // namespace tandem::prefetch
