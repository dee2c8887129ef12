#include "runtime/base/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <thread>
#include <vector>

#include "tests/base/random.h"

namespace tandem::base {
namespace {

using tandem::testing::Random;
using tandem::testing::Rounds;
using tandem::testing::TestSeed;

TEST(Counter, AddsUpWhatSeveralThreadsAdd) {
  Counter counter;
  std::vector<std::thread> threads;
  for (uint64_t t = 1; t <= 12; ++t) {
    threads.emplace_back([&counter, t] {
      for (int i = 0; i < 1000; ++i) counter.Add(t);
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(counter.Value(), 1000u * (12 * 13 / 2));
}

TEST(Maximum, KeepsTheLargestOfSeveralThreads) {
  Maximum maximum;
  EXPECT_EQ(maximum.Value(), 0u);
  std::vector<std::thread> threads;
  for (uint64_t t = 0; t < 4; ++t) {
    threads.emplace_back([&maximum, t] {
      for (uint64_t i = 0; i < 1000; ++i) maximum.Record(4 * i + t);
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(maximum.Value(), 3999u);
  maximum.Record(5);
  EXPECT_EQ(maximum.Value(), 3999u);
}

TEST(Histogram, IsEmptyAtFirst) {
  const Histogram histogram;
  EXPECT_EQ(histogram.Count(), 0u);
  EXPECT_EQ(histogram.SumNs(), 0u);
  EXPECT_EQ(histogram.MaxNs(), 0u);
  EXPECT_EQ(histogram.QuantileNs(0.5), 0u);
}

TEST(Histogram, TellsSmallAndExtremeValuesExactly) {
  for (const uint64_t value : {uint64_t{0}, uint64_t{1}, uint64_t{7}, UINT64_MAX}) {
    Histogram histogram;
    histogram.Record(value);
    EXPECT_EQ(histogram.QuantileNs(0), value);
    EXPECT_EQ(histogram.QuantileNs(0.5), value);
    EXPECT_EQ(histogram.QuantileNs(1), value);
    EXPECT_EQ(histogram.MaxNs(), value);
  }
}

TEST(Histogram, QuantilesAreAtMostAnEighthAboveTheExactOnes) {
  Random random(TestSeed());
  for (size_t round = 0; round < Rounds(200); ++round) {
    Histogram histogram;
    std::vector<uint64_t> values(random.Between(1, 500));
    uint64_t sum = 0;
    for (uint64_t& value : values) {
      value = random.Bits() >> random.Between(8, 63);  // all magnitudes; the sum fits
      sum += value;
      histogram.Record(value);
    }
    std::sort(values.begin(), values.end());
    EXPECT_EQ(histogram.Count(), values.size());
    EXPECT_EQ(histogram.SumNs(), sum);
    EXPECT_EQ(histogram.MaxNs(), values.back());
    for (const double quantile : {0.01, 0.25, 0.5, 0.9, 0.99, 1.0}) {
      const auto rank =
          static_cast<size_t>(std::ceil(quantile * static_cast<double>(values.size())));
      const uint64_t exact = values[rank - 1];
      const uint64_t told = histogram.QuantileNs(quantile);
      EXPECT_GE(told, exact) << quantile;
      EXPECT_LE(told, exact + exact / 8) << quantile;
    }
  }
}

TEST(Registry, ReturnsTheSameInstrumentForTheSameName) {
  Registry registry;
  Counter& first = registry.GetCounter("a");
  for (int i = 0; i < 1000; ++i) registry.GetCounter("other." + std::to_string(i));
  EXPECT_EQ(&registry.GetCounter("a"), &first);
  EXPECT_NE(&registry.GetCounter("b"), &first);
  EXPECT_EQ(&registry.GetMaximum("m"), &registry.GetMaximum("m"));
  EXPECT_EQ(&registry.GetHistogram("h"), &registry.GetHistogram("h"));
}

TEST(Registry, SnapshotHoldsAllValuesByName) {
  Registry registry;
  EXPECT_TRUE(registry.Snapshot().empty());
  registry.GetCounter("some.counter").Add(3);
  registry.GetMaximum("some.maximum").Record(4);
  registry.GetHistogram("some.time").Record(5);
  registry.GetHistogram("some.time").Record(6);
  EXPECT_THAT(registry.Snapshot(),
              ::testing::UnorderedElementsAre(
                  ::testing::Pair("some.counter", 3u), ::testing::Pair("some.maximum", 4u),
                  ::testing::Pair("some.time.count", 2u), ::testing::Pair("some.time.p50_ns", 5u),
                  ::testing::Pair("some.time.p99_ns", 6u), ::testing::Pair("some.time.max_ns", 6u),
                  ::testing::Pair("some.time.sum_ns", 11u)));
}

TEST(Registry, InstrumentsMayBeCreatedWhileOthersAreUsed) {
  Registry registry;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&registry] {
      for (int i = 0; i < 200; ++i) registry.GetCounter(std::to_string(i)).Add();
      (void)registry.Snapshot();
    });
  }
  for (auto& thread : threads) thread.join();
  const auto snapshot = registry.Snapshot();
  EXPECT_EQ(snapshot.size(), 200u);
  for (const auto& [name, value] : snapshot) EXPECT_EQ(value, 4u) << name;
}

}  // namespace
}  // namespace tandem::base
