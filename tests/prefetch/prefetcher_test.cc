#include "runtime/prefetch/prefetcher.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "tests/base/random.h"
#include "tests/prefetch/replay.h"

namespace tandem::prefetch {
namespace {

using ::testing::HasSubstr;

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

std::vector<std::string> AllPrefetchers() {
  std::vector<std::string> names;
  for (const auto& p : ListPrefetchers()) {
    if (p.name != "none") names.push_back(p.name);
  }
  return names;
}

INSTANTIATE_TEST_SUITE_P(Prefetchers, AnyPrefetcher, ::testing::ValuesIn(AllPrefetchers()),
                         [](const auto& p) {
                           std::string name = p.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

}  // namespace
}  // namespace tandem::prefetch
