#include "workloads/latency.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <string>

namespace tandem::workloads {
namespace {

TEST(LatencyHistogramTest, QuantilesAreAtMostASixteenthAboveTheTruth) {
  LatencyHistogram latency;
  for (uint64_t ns = 1; ns <= 100'000; ++ns) latency.Record(ns);
  EXPECT_EQ(latency.Count(), 100'000u);
  for (const double share : {0.1, 0.5, 0.9, 0.99, 0.999, 0.9999}) {
    const double truth = share * 100'000;
    EXPECT_GE(static_cast<double>(latency.QuantileNs(share)), truth);
    EXPECT_LE(static_cast<double>(latency.QuantileNs(share)), truth * 17 / 16 + 1);
  }
  EXPECT_EQ(latency.QuantileNs(1), 100'000u);
}

TEST(LatencyHistogramTest, TakesZeroAndTheLongestTime) {
  LatencyHistogram latency;
  EXPECT_EQ(latency.QuantileNs(0.5), 0u);
  latency.Record(0);
  EXPECT_EQ(latency.QuantileNs(0.99), 0u);
  latency.Record(UINT64_MAX);
  EXPECT_EQ(latency.QuantileNs(0.99), UINT64_MAX);
}

TEST(LatencyHistogramTest, MergesAndReportsByName) {
  LatencyHistogram latency, other;
  latency.Record(5);
  other.Record(7);
  other.Record(9);
  latency.Merge(other);
  std::map<std::string, uint64_t> counters;
  latency.AddTo("kv.read", counters);
  const std::map<std::string, uint64_t> expected = {
      {"kv.read.count", 3},  {"kv.read.p50_ns", 7},  {"kv.read.p90_ns", 9},
      {"kv.read.p99_ns", 9}, {"kv.read.p999_ns", 9}, {"kv.read.p9999_ns", 9},
      {"kv.read.max_ns", 9}, {"kv.read.sum_ns", 21},
  };
  EXPECT_EQ(counters, expected);
}

}  // namespace
}  // namespace tandem::workloads
