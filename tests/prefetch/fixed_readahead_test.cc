#include "runtime/prefetch/fixed_readahead.h"

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

TEST(FixedReadahead, NamesTheRestOfTheAlignedBlock) {
  FixedReadahead r;
  EXPECT_THAT(Miss(r, 0), ElementsAre(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15));
  EXPECT_THAT(Miss(r, 31), ElementsAre(30, 29, 28, 27, 26, 25, 24, 23, 22, 21, 20, 19, 18, 17, 16));
  EXPECT_THAT(Miss(r, 36), ElementsAre(37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 35, 34, 33, 32));
}

TEST(FixedReadahead, FetchesNothingAtHits) {
  FixedReadahead r;
  Miss(r, 0);
  EXPECT_THAT(Hit(r, 1), IsEmpty());
}

TEST(FixedReadahead, DoesNotLearn) {
  FixedReadahead r;
  for (int i = 0; i < 100; ++i) EXPECT_EQ(Miss(r, 160 * i).size(), 15u);
}

TEST(FixedReadahead, ServesMostOfAScanAndFloodsAChase) {
  FixedReadahead r;
  const auto scan = Replay(r, testing::kScan);
  EXPECT_GT(scan.hits, 6 * scan.misses);
  const auto chase = Replay(r, testing::kChase);
  EXPECT_GT(chase.prefetched, 10 * (chase.hits + chase.misses));
}

}  // namespace
}  // namespace tandem::prefetch
