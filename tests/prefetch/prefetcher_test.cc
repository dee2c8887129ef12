#include "runtime/prefetch/prefetcher.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "tests/base/random.h"
#include "tests/prefetch/replay.h"

namespace tandem::prefetch {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::Hit;
using ::testing::IsEmpty;
using testing::Miss;

TEST(Prefetchers, NoneIsNoPrefetcher) {
  auto none = MakePrefetcher("none");
  ASSERT_TRUE(none.ok());
  EXPECT_EQ(none.value(), nullptr);
}

TEST(Prefetchers, AreRefusedByAnUnknownNameWithAListOfTheKnown) {
  for (const char* name : {"", "Leap", "leap ", "readahead-8"}) {
    auto prefetcher = MakePrefetcher(name);
    ASSERT_FALSE(prefetcher.ok());
    EXPECT_EQ(prefetcher.status().code(), StatusCode::kInvalidArgument);
    for (const auto& known : ListPrefetchers()) {
      EXPECT_THAT(prefetcher.status().message(), HasSubstr(known.name));
    }
  }
}

class AnyPrefetcher : public ::testing::TestWithParam<std::string> {
 protected:
  std::unique_ptr<Prefetcher> Make() { return std::move(MakePrefetcher(GetParam()).value()); }
};

// Streams, jumps and repetitions, mostly near page zero.
TEST_P(AnyPrefetcher, NamesOtherPagesThanTheOneAccessedOnceEachAndNoneBelowZero) {
  tandem::testing::Random random(tandem::testing::TestSeed());
  const auto prefetcher = Make();
  Page page = 0;
  Page stride = 1;
  for (size_t i = 0; i < tandem::testing::Rounds(100'000); ++i) {
    if (random.OneIn(12)) stride = static_cast<Page>(random.Below(41)) - 20;
    if (random.OneIn(20)) page = static_cast<Page>(random.Below(random.OneIn(9) ? 1u << 30 : 99));
    page = std::max<Page>(page + stride, 0);
    const auto named = testing::Ask(*prefetcher, page, random.OneIn(2));
    EXPECT_EQ(std::set<Page>(named.begin(), named.end()).size(), named.size());
    for (const Page p : named) {
      ASSERT_GE(p, 0);
      ASSERT_NE(p, page);
    }
  }
}

TEST_P(AnyPrefetcher, CopesWithTheLargestPages) {
  const auto prefetcher = Make();
  const Page end = Page{1} << 48;
  for (int i = 0; i < 100; ++i) {
    for (const Page p : testing::Ask(*prefetcher, i % 2 == 0 ? end : 0, i % 3 == 0)) {
      ASSERT_GE(p, 0);
    }
  }
  for (Page p = end - 100; p <= end; ++p) testing::Ask(*prefetcher, p, false);
}

TEST_P(AnyPrefetcher, ServesMostOfAForwardScan) {
  const auto prefetcher = Make();
  const auto outcome = testing::Replay(*prefetcher, testing::Sequence(0, 1, 1000));
  EXPECT_GT(outcome.hits, 850u);
  EXPECT_LE(outcome.prefetched, outcome.hits + 16);
}

TEST_P(AnyPrefetcher, SaysTheSameAgainForTheSameAccesses) {
  const auto once = Make();
  const auto again = Make();
  for (const Page page : testing::kScan) {
    EXPECT_EQ(testing::Miss(*once, page), testing::Miss(*again, page));
  }
}

// Those that go by distances.
class ByDistances : public AnyPrefetcher {};

TEST_P(ByDistances, PrefetchesNothingForAPageThatComesAgainAndAgain) {
  const auto prefetcher = Make();
  for (int i = 0; i < 50; ++i) EXPECT_THAT(Miss(*prefetcher, 7), IsEmpty());
}

// Those that go on at hits, so that a steady stream does not miss.
class AtHits : public AnyPrefetcher {};

TEST_P(AtHits, DoublesItsDegreeAndNamesNoPageTwice) {
  const auto prefetcher = Make();
  for (Page p : {10, 11}) Miss(*prefetcher, p);
  EXPECT_THAT(Miss(*prefetcher, 12), ElementsAre(13, 14));
  EXPECT_THAT(Hit(*prefetcher, 13), ElementsAre(15, 16, 17));
  EXPECT_THAT(Hit(*prefetcher, 14), ElementsAre(18, 19, 20, 21, 22));
  EXPECT_THAT(Hit(*prefetcher, 15), ElementsAre(23, 24, 25, 26, 27, 28, 29, 30, 31));
  EXPECT_THAT(Hit(*prefetcher, 16), ElementsAre(32));
  EXPECT_THAT(Hit(*prefetcher, 17), ElementsAre(33));
}

TEST_P(AtHits, NamesAllAgainWhenWhatItNamedDidNotCome) {
  const auto prefetcher = Make();
  for (Page p : {10, 11, 12}) Miss(*prefetcher, p);
  EXPECT_THAT(Miss(*prefetcher, 13), ElementsAre(14, 15, 16, 17));
}

TEST_P(AtHits, EndsAtPageZero) {
  const auto prefetcher = Make();
  for (Page p : {9, 6}) Miss(*prefetcher, p);
  EXPECT_THAT(Miss(*prefetcher, 3), ElementsAre(0));
  EXPECT_THAT(Hit(*prefetcher, 0), IsEmpty());
}

std::vector<std::string> AllPrefetchers() {
  std::vector<std::string> names;
  for (const auto& p : ListPrefetchers()) {
    if (p.name != "none") names.push_back(p.name);
  }
  return names;
}

std::string NameOf(const ::testing::TestParamInfo<std::string>& info) {
  std::string name = info.param;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(Prefetchers, AnyPrefetcher, ::testing::ValuesIn(AllPrefetchers()), NameOf);
INSTANTIATE_TEST_SUITE_P(Prefetchers, ByDistances, ::testing::Values("leap", "stride", "streams"),
                         NameOf);
INSTANTIATE_TEST_SUITE_P(Prefetchers, AtHits, ::testing::Values("stride", "streams"), NameOf);

}  // namespace
}  // namespace tandem::prefetch
