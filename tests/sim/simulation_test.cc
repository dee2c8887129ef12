#include "sim/simulation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "sim/synthetic.h"
#include "tests/sim/events.h"

namespace tandem::sim {
namespace {

using testing::EventList;
using ::testing::HasSubstr;

constexpr uint64_t kPage = 4096;

SimulationResult Play(record::EventSource& events, const SimulationOptions& options = {}) {
  auto result = Simulate(options, events);
  EXPECT_TRUE(result.ok()) << result.status().message();
  return *result;
}

SimulationResult RunSynthetic(const std::string& spec, const SimulationOptions& options = {}) {
  return Play(*Synthetic::Create(spec).value(), options);
}

std::string ErrorOf(const SimulationOptions& options) { return CheckSimulation(options).message(); }

// --- The pager ---

TEST(SimulationTest, WithEverythingLocalNothingMoves) {
  EventList events;
  for (uint64_t page = 0; page < 100; ++page) events.Birth(page);
  for (uint64_t page = 0; page < 100; ++page) events.Access(page);
  auto result = Play(events);
  EXPECT_EQ(result.counters["fetch.fresh"], 100u);
  EXPECT_EQ(result.counters["fetch.demand.mutator"], 0u);
  EXPECT_EQ(result.counters["evict.pages"], 0u);
  EXPECT_EQ(result.footprint_bytes, 100 * kPage);
  EXPECT_EQ(result.virtual_ns, 100u * 20 + 100 * 5);
}

TEST(SimulationTest, AScanOfMoreThanFitsMissesEveryPageEveryTime) {
  EventList events;
  for (uint64_t page = 0; page < 256; ++page) events.Birth(page);
  for (uint64_t round = 0; round < 3; ++round) {
    for (uint64_t page = 0; page < 256; ++page) events.Access(page);
  }
  auto result = Play(events, {.local_bytes = 64 * kPage});
  EXPECT_EQ(result.counters["fetch.demand.mutator"], 3 * 256u);
  // Each was written when it first left, and has been clean since.
  EXPECT_EQ(result.counters["evict.writeback"], 256u);
  EXPECT_LE(result.local_peak_bytes, 64 * kPage);
}

TEST(SimulationTest, AFetchTakesWhatTheLinkTakes) {
  EventList events;
  for (uint64_t page = 0; page < 128; ++page) events.Birth(page);
  SimulationOptions options{.local_bytes = 64 * kPage};
  // Births take long enough for what they push out to be written.
  options.costs = {.access_ns = 0, .alloc_ns = 1000, .mark_ns = 1, .fetch_ns = 0};
  options.fabric = "emulated:none,latency_ns=5000";
  for (uint64_t i = 0; i < 10; ++i) events.Access(i);  // born first, gone by now
  auto result = Play(events, options);
  EXPECT_EQ(result.counters["fetch.demand.mutator"], 10u);
  EXPECT_EQ(result.virtual_ns, 128u * 1000 + 10 * 5000);
  // The link's share of time on the wire comes on top: 4096 bytes at 1 byte a ns.
  events.Rewind();
  options.fabric = "emulated:none,latency_ns=5000,bandwidth_mb_s=1000";
  EXPECT_EQ(Play(events, options).virtual_ns, 128u * 1000 + 10 * 9096);
}

TEST(SimulationTest, ARangeIsReadWithManyReadsInFlight) {
  EventList events;
  for (uint64_t page = 0; page < 1024; ++page) events.Birth(page);
  events.Range(0, 64);
  SimulationOptions options{.local_bytes = 512 * kPage};
  // Births take long enough for what they push out to be written.
  options.costs = {.access_ns = 0, .alloc_ns = 1000, .mark_ns = 1, .fetch_ns = 0};
  options.fabric = "emulated:none,latency_ns=5000";
  auto result = Play(events, options);
  EXPECT_EQ(result.counters["fetch.demand.mutator"], 64u);
  EXPECT_LE(result.virtual_ns, 1024u * 1000 + 4 * 5000);
}

TEST(SimulationTest, APrefetcherSavesAScanMostOfItsMisses) {
  const std::string spec = "list,objects=20000,accesses=100000,cycles=0";
  SimulationOptions options{.local_bytes = 128 * kPage};
  const auto none = RunSynthetic(spec, options);
  options.prefetcher = "readahead";
  const auto ahead = RunSynthetic(spec, options);
  const uint64_t misses = none.counters.at("fetch.demand.mutator");
  EXPECT_EQ(none.counters.at("fetch.prefetch"), 0u);
  EXPECT_LT(ahead.counters.at("fetch.demand.mutator"), misses / 4);
  EXPECT_GT(ahead.counters.at("prefetch.hits"), misses / 2);
  EXPECT_LT(ahead.virtual_ns, none.virtual_ns);
}

// --- The collector ---

TEST(SimulationTest, ACycleFreesWhatItsRootsDoNotReach) {
  EventList events;
  for (uint64_t page = 0; page < 10; ++page) events.Birth(page);
  for (uint64_t page = 0; page < 5; ++page) events.Store(page, 0, page + 1);
  events.Cycle(0);
  events.Wait();
  auto result = Play(events);
  EXPECT_EQ(result.counters["gc.cycles"], 1u);
  EXPECT_EQ(result.counters["gc.objects_marked"], 6u);
  EXPECT_EQ(result.counters["gc.dead_pages"], 4u);
  EXPECT_EQ(result.counters["gc.freed_bytes"], 4u * 255 * 16);
}

TEST(SimulationTest, WhatIsOverwrittenOrBornDuringTheCycleSurvivesIt) {
  for (const char* order : {"lifo", "fifo", "memliner", "lineup"}) {
    EventList events;
    for (uint64_t page = 0; page < 4; ++page) events.Birth(page);
    for (uint64_t page = 0; page < 2; ++page) events.Store(page, 0, page + 1);
    events.Cycle(0);
    events.Store(0, 0, record::Event::kNull);  // 1 and 2 hang on nothing now
    events.Birth(4);
    events.Wait();
    events.Cycle(0);
    events.Wait();
    auto result = Play(events, {.order = order});
    EXPECT_EQ(result.counters["gc.cycles"], 2u) << order;
    // 3 in the first cycle; 1, 2 and 4 in the second.
    EXPECT_EQ(result.counters["gc.dead_pages"], 4u) << order;
    EXPECT_EQ(result.counters["gc.objects_marked"], 3u + 1) << order;
  }
}

TEST(SimulationTest, MemoryThatTheCycleHasNotFreedYetIsWaitedFor) {
  EventList events;
  events.Birth(0);
  events.Birth(1);
  events.Cycle(0);
  events.Birth(1);  // where the dead one lay
  auto result = Play(events);
  EXPECT_EQ(result.counters["gc.stall.count"], 1u);
  EXPECT_EQ(result.counters["gc.cycles"], 1u);
}

TEST(SimulationTest, EveryOrderMarksEachReachableObjectOnce) {
  const std::string spec = "graph,objects=20000,accesses=20000,cycles=2";
  for (const char* order : {"lifo", "fifo", "memliner", "lineup"}) {
    const SimulationOptions options{.order = order, .local_bytes = 80 * kPage};
    EXPECT_EQ(RunSynthetic(spec, options).counters.at("gc.objects_marked"), 2 * 20000u) << order;
  }
}

TEST(SimulationTest, AMarkOfARandomGraphNeedsManyFetchesAPageInTheOrderOfAStackAndFewInGroups) {
  const std::string spec = "graph,objects=40000,accesses=0,wait=1";
  SimulationOptions options{.order = "lifo", .local_bytes = 156 * kPage};  // a quarter
  const auto lifo = RunSynthetic(spec, options);
  options.order = "lineup";
  const auto lineup = RunSynthetic(spec, options);
  const uint64_t pages = lifo.footprint_bytes / kPage;
  EXPECT_GT(lifo.counters.at("fetch.demand.collector"), 30 * pages);
  EXPECT_EQ(lineup.counters.at("fetch.demand.collector"), 0u);
  EXPECT_LE(lineup.counters.at("fetch.trace"), 4 * pages);
}

// --- All of it ---

TEST(SimulationTest, TheSameInputHasTheSameOutcomeToTheCount) {
  for (const char* order : {"lifo", "fifo", "memliner", "lineup"}) {
    for (const char* prefetcher : {"none", "readahead", "leap"}) {
      const SimulationOptions options{
          .order = order, .prefetcher = prefetcher, .local_bytes = 80 * kPage};
      const std::string spec = "zipf,objects=10000,accesses=20000,cycles=2";
      const auto once = RunSynthetic(spec, options);
      const auto twice = RunSynthetic(spec, options);
      EXPECT_EQ(once.counters, twice.counters) << order << " " << prefetcher;
      EXPECT_EQ(once.virtual_ns, twice.virtual_ns) << order << " " << prefetcher;
    }
  }
}

TEST(SimulationTest, AHeapLargerThanTheMachineCostsWhatItsPagesCost) {
  SimulationOptions options{.order = "lineup", .local_bytes = 80 * kPage};
  auto result =
      RunSynthetic("graph,objects=10000,bytes=2000,accesses=0,heap_gib=16,wait=1", options);
  EXPECT_EQ(result.counters["gc.cycles"], 1u);
  EXPECT_EQ(result.footprint_bytes, 5000 * kPage);
}

TEST(SimulationTest, NonsenseIsRefused) {
  EXPECT_TRUE(CheckSimulation({}).ok());
  EXPECT_THAT(ErrorOf({.order = "nosuch"}), HasSubstr("valid are lifo"));
  EXPECT_THAT(ErrorOf({.order = "lineup,window=x"}), HasSubstr("makes no sense"));
  EXPECT_THAT(ErrorOf({.prefetcher = "nosuch"}), HasSubstr("valid are none"));
  EXPECT_THAT(ErrorOf({.replacement = "nosuch"}), HasSubstr("valid are clock"));
  EXPECT_THAT(ErrorOf({.fabric = "verbs"}), HasSubstr("emulated fabrics only"));
  EXPECT_THAT(ErrorOf({.fabric = "emulatedx"}), HasSubstr("emulated fabrics only"));
  EXPECT_THAT(ErrorOf({.fabric = "emulated:nosuch"}), HasSubstr("unknown preset"));
  EXPECT_THAT(ErrorOf({.fabric = "emulated:tcp,loss=0.1"}), HasSubstr("no faults"));
  EventList events;
  EXPECT_THAT(Simulate({.local_bytes = kPage}, events).status().message(),
              HasSubstr("is too little"));
}

TEST(SimulationTest, SyntheticNonsenseIsRefused) {
  const auto error = [](const char* spec) { return Synthetic::Create(spec).status().message(); };
  EXPECT_THAT(error(""), HasSubstr("valid are graph, list, zipf"));
  EXPECT_THAT(error("tree"), HasSubstr("valid are graph, list, zipf"));
  EXPECT_THAT(error("graph,size=4"), HasSubstr("valid are objects, bytes"));
  EXPECT_THAT(error("graph,"), HasSubstr("valid are objects, bytes"));
  EXPECT_THAT(error("graph,objects"), HasSubstr("objects must be from 2 to"));
  EXPECT_THAT(error("graph,objects=-1"), HasSubstr("objects must be from 2 to"));
  EXPECT_THAT(error("graph,objects=90000000,heap_gib=1"), HasSubstr("heap_gib must be larger"));
}

}  // namespace
}  // namespace tandem::sim
