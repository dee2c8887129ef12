// Arrivals with mutators, the evictor and a pager around them.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <span>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include "runtime/swap/arrivals.h"
#include "tests/base/random.h"
#include "tests/swap/pager_rig.h"

namespace tandem::swap {
namespace {

using tandem::testing::Random;
using tandem::testing::Rounds;
using tandem::testing::TestSeed;
using ::testing::Each;

constexpr Purpose kEarlyPurposes[] = {Purpose::kPrefetch, Purpose::kHint, Purpose::kLookAhead};

struct LostPage {};

class PagerArrivalsTest : public RoadTest {
 protected:
  RigOptions Options(const char* fabric = "emulated:none") const {
    return {.fabric = fabric, .local_pages = 256, .use_move = UseMove()};
  }
  // Makes the rig's first pages far, with frames free for some of them.
  static void MakeFar(PagerRig& rig, size_t count) {
    rig.FillRange(0, count, 1);
    rig.Evict(0, count);
    rig.LeaveFree(Evictor::LowWatermark(rig.pager().budget()));
  }
  // Posts one page, when there is a frame for it. It stays until the pin is taken away.
  static void PostAndPin(PagerRig& rig, PageIndex page, Purpose purpose) {
    rig.pager().table().pins(page).fetch_add(1);
    EXPECT_TRUE(Eventually([&] {
      const PageIndex pages[] = {page};
      return rig.pager().arrivals().Post(pages, purpose) == 1;
    }));
  }
  static bool LandAll(PagerRig& rig) {
    return Eventually([&] {
      rig.pager().arrivals().Land();
      return rig.pager().arrivals().in_flight() == 0;
    });
  }
  static EarlyMetrics& MetricsOf(PagerRig& rig, Purpose purpose) {
    return purpose == Purpose::kHint       ? rig.metrics().hint
           : purpose == Purpose::kPrefetch ? rig.metrics().prefetch
                                           : rig.metrics().lookahead;
  }
  static void ExpectEarly(PagerRig& rig, Purpose purpose, size_t hits, size_t late, size_t unused) {
    for (const Purpose p : kEarlyPurposes) {
      const EarlyMetrics& early = MetricsOf(rig, p);
      EXPECT_EQ(early.issued.Value(), p == purpose ? 1u : 0u);
      EXPECT_EQ(early.hits.Value(), p == purpose ? hits : 0);
      EXPECT_EQ(early.late.Value(), p == purpose ? late : 0);
      EXPECT_EQ(early.unused.Value(), p == purpose ? unused : 0);
    }
  }
};

TEST_P(PagerArrivalsTest, WhoNeedsAPageInFlightLandsItAndItIsLate) {
  for (const Purpose purpose : kEarlyPurposes) {
    PagerRig rig(Options("emulated:none,read_latency_ns=3000000,timeout_ms=10000"));
    MakeFar(rig, 4);
    PostAndPin(rig, 2, purpose);
    EXPECT_EQ(rig.StateOf(2), kFetching);
    EXPECT_TRUE(rig.Holds(2, 1));
    EXPECT_EQ(rig.StateOf(2), kLocal);
    EXPECT_EQ(rig.pager().arrivals().in_flight(), 0u);
    EXPECT_EQ(rig.metrics().demand_mutator.Value(), 0u);
    ExpectEarly(rig, purpose, 1, 1, 0);
  }
}

TEST_P(PagerArrivalsTest, APageTouchedAfterItArrivedIsAHitAndNotLate) {
  for (const Purpose purpose : kEarlyPurposes) {
    PagerRig rig(Options());
    MakeFar(rig, 4);
    const uint64_t touches = rig.metrics().touches.Value();
    PostAndPin(rig, 2, purpose);
    ASSERT_TRUE(LandAll(rig));
    rig.pager().MakeLocal(2, rig.port(), Cause::kCollector);  // does not count
    ExpectEarly(rig, purpose, 0, 0, 0);
    for (int i = 0; i < 2; ++i) rig.pager().MakeLocal(2, rig.port(), Cause::kMutator);
    EXPECT_EQ(rig.StateOf(2), kLocal);
    EXPECT_TRUE(rig.Holds(2, 1));
    ExpectEarly(rig, purpose, 1, 0, 0);
    EXPECT_EQ(rig.metrics().touches.Value(), touches + 1);
    rig.pager().table().pins(2).fetch_sub(1);
    rig.Evict(2);
    ExpectEarly(rig, purpose, 1, 0, 0);
  }
}

TEST_P(PagerArrivalsTest, APageThatStayedWhenItShouldLeaveIsNotLate) {
  PagerRig rig(Options());
  MakeFar(rig, 1);
  PostAndPin(rig, 0, Purpose::kPrefetch);
  ASSERT_TRUE(LandAll(rig));
  auto& state = rig.pager().table().state(0);
  const PageState seen = state.exchange(kLeaving);
  std::thread evictor([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    state.store(seen);  // f of page_state.h
  });
  rig.pager().MakeLocal(0, rig.port(), Cause::kMutator);
  evictor.join();
  ExpectEarly(rig, Purpose::kPrefetch, 1, 0, 0);
}

TEST_P(PagerArrivalsTest, APageThatLeavesUntouchedWasReadInVain) {
  for (const Purpose purpose : kEarlyPurposes) {
    PagerRig rig(Options());
    MakeFar(rig, 4);
    PostAndPin(rig, 2, purpose);
    ASSERT_TRUE(LandAll(rig));
    rig.pager().table().pins(2).fetch_sub(1);
    rig.Evict(2);
    ExpectEarly(rig, purpose, 0, 0, 1);
    EXPECT_TRUE(rig.Holds(2, 1));
    ExpectEarly(rig, purpose, 0, 0, 1);
    EXPECT_EQ(rig.metrics().refetches.Value(), 2u);  // by arrival, and by the trap
  }
}

TEST_P(PagerArrivalsTest, APageThatDiesUntouchedWasReadInVain) {
  PagerRig rig(Options());
  MakeFar(rig, 4);
  PostAndPin(rig, 2, Purpose::kHint);
  ASSERT_TRUE(LandAll(rig));
  rig.pager().MarkDead(2, 1);
  rig.pager().table().pins(2).fetch_sub(1);
  rig.Evict(2);
  EXPECT_EQ(rig.StateOf(2), kFar | kFresh);
  ExpectEarly(rig, Purpose::kHint, 0, 0, 1);
}

TEST_P(PagerArrivalsTest, WhatTheTracerAskedForIsNobodysHit) {
  PagerRig rig(Options());
  MakeFar(rig, 4);
  PostAndPin(rig, 2, Purpose::kTrace);
  ASSERT_TRUE(LandAll(rig));
  EXPECT_EQ(rig.StateOf(2), kLocal | kUntouched | kCold);
  EXPECT_TRUE(rig.Holds(2, 1));
  for (const Purpose p : kEarlyPurposes) EXPECT_EQ(MetricsOf(rig, p).hits.Value(), 0u);
  EXPECT_EQ(rig.metrics().trace.Value(), 1u);
}

TEST_P(PagerArrivalsTest, EarlyReadsThatTakeTheLastFramesWakeTheEvictor) {
  PagerRig rig(Options());
  MakeFar(rig, 100);
  // Nobody waits for a frame here; the evictor's own clock is too slow to be meant.
  const std::vector<PageIndex> wanted = PagesFrom(0, 100);
  const uint64_t start = base::NowNs();
  for (size_t done = 0; done < wanted.size();) {
    done += rig.pager().arrivals().Post(std::span(wanted).subspan(done), Purpose::kPrefetch);
    rig.pager().arrivals().Land();
    ASSERT_LT(base::NowNs() - start, 100'000'000'000u);
  }
  EXPECT_GE(rig.metrics().prefetch.issued.Value(), 90u);
}

TEST_P(PagerArrivalsTest, APageThatStaysDamagedIsReportedToWhoNeedsIt) {
  auto options = Options("emulated:none,damage=1");
  options.on_lost = [](const void*, const char*) { throw LostPage(); };
  PagerRig rig(options);
  MakeFar(rig, 4);
  PostAndPin(rig, 2, Purpose::kPrefetch);
  EXPECT_THROW(rig.pager().MakeLocal(2, rig.port(), Cause::kMutator), LostPage);
  EXPECT_THROW(rig.pager().MakeRangeLocal(0, 4, rig.port()), LostPage);
  EXPECT_TRUE(LandAll(rig));
  for (PageIndex page = 0; page < 4; ++page) EXPECT_EQ(rig.StateOf(page), kFar);
  EXPECT_TRUE(Eventually([&] { return rig.ResidentPages() == rig.pager().budget().taken(); }));
}

TEST_P(PagerArrivalsTest, NothingHangsWhenTheFarSideDies) {
  auto options = Options("emulated:none,die_after=40");
  options.on_lost = [](const void*, const char*) { throw LostPage(); };
  PagerRig rig(options);
  MakeFar(rig, 40);  // 40 writes, and no more
  ASSERT_EQ(rig.WrittenBytes(), 40 * base::kPageSize);
  rig.pager().arrivals().Post(PagesFrom(0, 40), Purpose::kHint);
  EXPECT_THROW(rig.pager().MakeRangeLocal(0, 40, rig.port()), LostPage);
  EXPECT_THROW(rig.pager().MakeLocal(39, rig.port(), Cause::kMutator), LostPage);
  EXPECT_TRUE(LandAll(rig));
  for (PageIndex page = 0; page < 40; ++page) EXPECT_EQ(rig.StateOf(page), kFar);
  EXPECT_TRUE(Eventually([&] { return rig.ResidentPages() == rig.pager().budget().taken(); }));
  rig.Press();  // pages of zeroes need no far side
}

TEST_P(PagerArrivalsTest, WhoWaitsForAFrameLandsWhatHoldsIt) {
  // A quarter of a small budget is in flight, and half of it is pinned.
  PagerRig rig({.fabric = "emulated:none,read_latency_ns=2000000,timeout_ms=10000",
                .local_pages = 64,
                .use_move = UseMove()});
  rig.FillRange(0, 200, 1);
  rig.pager().Pin(400, 32, rig.port());
  size_t in_flight = 0;
  for (PageIndex page = 0; page < 150; ++page) {
    rig.pager().arrivals().Post(PagesFrom(page, 50), kAllPurposes[page % kPurposes]);
    in_flight = std::max(in_flight, rig.pager().arrivals().in_flight());
    for (size_t i = 0; i < 4; ++i) rig.Press();
  }
  rig.pager().Unpin(400, 32);
  EXPECT_GT(in_flight, 1u);
  EXPECT_LE(in_flight, 16u);
  EXPECT_LE(rig.pager().budget().peak(), 64u);
  for (PageIndex page = 0; page < 200; ++page) ASSERT_TRUE(rig.Holds(page, 1)) << page;
}

// The signals that the evictor's thread blocks, a bit each, as the kernel tells. A thread blocks
// all while it is being created, and takes its name later.
uint64_t SignalsBlockedByEvictor() {
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    std::ifstream status(task.path() / "status");
    const std::string text{std::istreambuf_iterator<char>(status), {}};
    const size_t line = text.find("SigBlk:\t");
    if (!text.starts_with("Name:\ttandem-evict\n") || line == text.npos) continue;
    return std::stoull(text.substr(line + 8, 16), nullptr, 16);
  }
  return ~uint64_t{0};
}

TEST_P(PagerArrivalsTest, TheEvictorRunsNoSignalHandlersOfTheApplication) {
  PagerRig rig(Options());
  EXPECT_TRUE(Eventually([] { return (SignalsBlockedByEvictor() >> (SIGBUS - 1) & 1) == 0; }));
  const uint64_t blocked = SignalsBlockedByEvictor();
  for (const int signal : {SIGALRM, SIGUSR1, SIGPROF, SIGINT, SIGTERM, SIGCHLD}) {
    EXPECT_NE(blocked >> (signal - 1) & 1, 0u) << signal;
  }
  sigset_t mine;
  pthread_sigmask(SIG_BLOCK, nullptr, &mine);
  EXPECT_EQ(sigismember(&mine, SIGALRM), 0);
}

TEST_P(PagerArrivalsTest, DestructionAbandonsReadsInFlight) {
  PagerRig rig(Options("emulated:none,read_latency_ns=10000000000,timeout_ms=60000"));
  MakeFar(rig, 8);
  EXPECT_GT(rig.pager().arrivals().Post(PagesFrom(0, 8), Purpose::kPrefetch), 0u);
  EXPECT_GT(rig.pager().arrivals().in_flight(), 0u);
}

TEST_P(PagerArrivalsTest, ARangeOfFreshPagesIsLocalAlsoIfAnotherReadsItAtTheSameTime) {
  for (size_t round = 0; round < Rounds(10); ++round) {
    PagerRig rig({.pages = 512, .local_pages = 1024, .use_move = UseMove()});
    std::atomic<size_t> at{0};  // both threads begin the next range together
    const auto read = [&](Port& port) {
      for (PageIndex page = 0; page < rig.pages(); ++page) {
        ++at;
        while (at.load() < 2 * (page + 1)) std::this_thread::yield();
        rig.pager().MakeRangeLocal(page, 1, port);
        EXPECT_TRUE(rig.pager().IsLocal(page)) << page;  // there are frames for all
      }
    };
    std::thread other([&] {
      BoundPort port(rig.pager());
      read(*port);
    });
    read(rig.port());
    other.join();
  }
}

struct StressCase {
  const char* name;
  const char* fabric;
};
void PrintTo(const StressCase& c, std::ostream* out) { *out << c.fabric; }

class ArrivalsStressTest : public ::testing::TestWithParam<std::tuple<Road, StressCase>> {
 protected:
  void SetUp() override {
    if (std::get<0>(GetParam()) == Road::kMove && !KernelMovesPages()) {
      GTEST_SKIP() << "this kernel does not move pages";
    }
  }
};

// Each thread has a word of every page for itself; ranges, early reads of all kinds and eviction
// go on around it.
TEST_P(ArrivalsStressTest, WhatIsStoredIsReadBack) {
  const auto& [road, fabric] = GetParam();
  constexpr size_t kReaders = 2;
  PagerRig rig({.fabric = fabric.fabric, .pages = 400, .use_move = road == Road::kMove});
  const uint64_t seed = TestSeed();
  std::atomic<bool> stop{false};
  std::vector<std::thread> readers;
  for (size_t t = 0; t < kReaders; ++t) {
    readers.emplace_back([&, t] {
      BoundPort port(rig.pager());
      Random random(seed + t);
      std::vector<uint64_t> expected(rig.pages(), 0);
      for (size_t i = 0; i < Rounds(200); ++i) {
        const PageIndex first = random.Below(rig.pages());
        const size_t count = random.Between(1, std::min<size_t>(rig.pages() - first, 100));
        if (!random.OneIn(8)) rig.pager().MakeRangeLocal(first, count, *port);
        for (PageIndex page = first; page < first + count; ++page) {
          volatile uint64_t* const word = rig.Words(page) + 200 * t;
          ASSERT_EQ(*word, expected[page]) << "page " << page;
          if (random.OneIn(3)) *word = expected[page] = random.Bits();
        }
      }
    });
  }
  std::thread poster([&] {
    Random random(seed + kReaders);
    while (!stop.load()) {
      std::vector<PageIndex> wanted = PagesFrom(random.Below(rig.pages()), random.Between(1, 32));
      if (random.OneIn(4)) std::reverse(wanted.begin(), wanted.end());
      rig.pager().arrivals().Post(wanted, kAllPurposes[random.Below(kPurposes)]);
      if (random.OneIn(2)) rig.pager().arrivals().Land(random.Below(Arrivals::kMaxLanding + 1));
      std::this_thread::yield();
    }
  });
  for (auto& reader : readers) reader.join();
  stop.store(true);
  poster.join();
  EXPECT_TRUE(Eventually([&] {
    rig.pager().arrivals().Land();
    return rig.pager().arrivals().in_flight() == 0;
  }));
  EXPECT_TRUE(Eventually([&] { return rig.ResidentPages() == rig.pager().budget().taken(); }));
  EXPECT_LE(rig.pager().budget().peak(), rig.pager().budget().limit());
}

constexpr StressCase kStressCases[] = {
    {"None", "emulated:none"},
    {"Rdma40", "emulated:rdma40"},
    {"Shallow", "emulated:rdma40,depth=2"},
    {"Faults", "emulated:rdma40,loss=0.01,timeout_ms=2,damage=0.02,delay=0.05,delay_ns=200000"},
};

INSTANTIATE_TEST_SUITE_P(Fabrics, ArrivalsStressTest,
                         ::testing::Combine(::testing::Values(Road::kMove, Road::kCopy),
                                            ::testing::ValuesIn(kStressCases)),
                         [](const auto& param_info) {
                           return std::string(std::get<0>(param_info.param) == Road::kMove
                                                  ? "Move"
                                                  : "Copy") +
                                  std::get<1>(param_info.param).name;
                         });

TANDEM_ON_BOTH_ROADS(PagerArrivalsTest);

}  // namespace
}  // namespace tandem::swap
