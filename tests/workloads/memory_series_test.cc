#include "workloads/memory_series.h"

#include <gtest/gtest.h>

#include "tandem/heap.h"

namespace tandem::workloads {
namespace {

TEST(MemorySeriesTest, KeepsAllWhileTheyFit) {
  MemorySeries series;
  for (size_t i = 0; i < MemorySeries::kCapacity; ++i) series.Add({static_cast<double>(i), i, 0});
  EXPECT_EQ(series.samples().size(), MemorySeries::kCapacity);
  EXPECT_EQ(series.stride(), 1u);
  EXPECT_EQ(series.samples().back().heap_used_bytes, MemorySeries::kCapacity - 1);
}

TEST(MemorySeriesTest, IsEvenlySpacedAndBoundedHoweverLongItRuns) {
  MemorySeries series;
  uint64_t time = 0;
  for (int i = 0; i < 10'000; ++i) {
    series.Add({static_cast<double>(time), time, time});
    time += series.stride();
  }
  ASSERT_LE(series.samples().size(), MemorySeries::kCapacity);
  ASSERT_GE(series.samples().size(), MemorySeries::kCapacity / 2);
  EXPECT_EQ(series.samples().front().heap_used_bytes, 0u);
  for (size_t i = 1; i < series.samples().size(); ++i) {
    const uint64_t step =
        series.samples()[i].heap_used_bytes - series.samples()[i - 1].heap_used_bytes;
    // The first after a thinning may come half a step early.
    EXPECT_GE(step, series.stride() / 2) << i;
    EXPECT_LE(step, series.stride()) << i;
  }
}

TEST(MemorySamplerTest, HasAFirstAndALastSample) {
  auto heap = Heap::Create({.heap_bytes = uint64_t{8} << 20, .fabric = "emulated:none"});
  ASSERT_TRUE(heap.ok()) << heap.status().message();
  MemorySampler sampler(**heap);
  const std::vector<MemorySample> samples = sampler.Stop();
  ASSERT_GE(samples.size(), 2u);
  EXPECT_GE(samples.back().seconds, samples.front().seconds);
}

TEST(MemorySamplerTest, CanBeLeftWithoutBeingAsked) {
  auto heap = Heap::Create({.heap_bytes = uint64_t{8} << 20, .fabric = "emulated:none"});
  ASSERT_TRUE(heap.ok()) << heap.status().message();
  MemorySampler sampler(**heap);
}

}  // namespace
}  // namespace tandem::workloads
