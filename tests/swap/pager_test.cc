#include "runtime/swap/pager.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <thread>
#include <tuple>
#include <vector>

#include "runtime/swap/page_hash.h"
#include "tests/base/random.h"
#include "tests/swap/pager_rig.h"

namespace tandem::swap {
namespace {

using tandem::testing::Random;
using tandem::testing::Rounds;
using tandem::testing::TestSeed;
using ::testing::HasSubstr;

// --- Contents, on all roads and fabrics ---

struct FabricCase {
  const char* name;
  const char* url;
};
void PrintTo(const FabricCase& c, std::ostream* out) { *out << c.url; }

constexpr FabricCase kFabrics[] = {
    {"None", "emulated:none"},
    {"Rdma40", "emulated:rdma40"},
    {"Shallow", "emulated:none,depth=2"},
    {"SlowWrites", "emulated:none,write_latency_ns=2000000,timeout_ms=1000"},
    {"Loss", "emulated:none,loss=0.02,timeout_ms=2"},
    {"Damage", "emulated:none,damage=0.03"},
    {"Delay", "emulated:none,delay=0.1,delay_ns=100000"},
    {"AllAtOnce", "emulated:rdma40,loss=0.01,timeout_ms=2,damage=0.02,delay=0.05,delay_ns=200000"},
};

class PagerContentsTest : public ::testing::TestWithParam<std::tuple<Road, FabricCase>> {
 protected:
  void SetUp() override {
    if (std::get<0>(GetParam()) == Road::kMove && !KernelMovesPages()) {
      GTEST_SKIP() << "this kernel does not move pages";
    }
  }
};

// Each thread has its own words of every page, so that threads share pages but no words. Where
// a sanitizer watches, too: the words are the threads' own.
class OwnWords {
 public:
  OwnWords(PagerRig& rig, size_t threads, size_t thread, uint64_t seed)
      : rig_(rig),
        threads_(threads),
        thread_(thread),
        random_(seed),
        expected_(rig.pages() * kOwned, 0) {}

  void Step(Port* port) {
    const PageIndex page = random_.Below(rig_.pages());
    if (port != nullptr && random_.OneIn(2)) {
      const Cause cause = random_.OneIn(4) ? Cause::kCollector : Cause::kMutator;
      rig_.pager().MakeLocal(page, *port, cause);
    }
    const size_t i = random_.Below(kOwned);
    if (random_.OneIn(2)) {
      const uint64_t value = random_.OneIn(8) ? 0 : random_.Bits();
      Word(page, i) = value;
      expected_[page * kOwned + i] = value;
    } else {
      ASSERT_EQ(Word(page, i), expected_[page * kOwned + i]) << "page " << page;
    }
  }
  void CheckAll() {
    for (PageIndex page = 0; page < rig_.pages(); ++page) {
      for (size_t i = 0; i < kOwned; ++i) {
        ASSERT_EQ(Word(page, i), expected_[page * kOwned + i]) << "page " << page;
      }
    }
  }

 private:
  static constexpr size_t kOwned = 4;

  volatile uint64_t& Word(PageIndex page, size_t i) {
    return rig_.Words(page)[(i * 128 + thread_ * 128 / threads_) % kPageWords];
  }

  PagerRig& rig_;
  const size_t threads_;
  const size_t thread_;
  Random random_;
  std::vector<uint64_t> expected_;
};

TEST_P(PagerContentsTest, WhatThreadsStoreSurvivesEviction) {
  const auto& [road, fabric] = GetParam();
  PagerRig rig(
      {.fabric = fabric.url, .pages = 400, .local_pages = 96, .use_move = road == Road::kMove});
  const uint64_t seed = TestSeed();
  constexpr size_t kThreads = 4;
  std::vector<std::thread> threads;
  for (size_t t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      OwnWords words(rig, kThreads, t, seed + t);
      if (t == 0) {  // not bound: all of its faults are served through the spare port
        for (size_t i = 0; i < Rounds(3000); ++i) words.Step(nullptr);
        words.CheckAll();
        return;
      }
      BoundPort port(rig.pager());
      for (size_t i = 0; i < Rounds(8000); ++i) words.Step(t == 1 ? nullptr : &*port);
      words.CheckAll();
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_LE(rig.pager().budget().peak(), rig.pager().budget().limit());
  EXPECT_TRUE(Eventually([&] { return rig.ResidentPages() == rig.pager().budget().taken(); }));
  EXPECT_LE(rig.ResidentPages(), rig.pager().budget().limit());
  EXPECT_GT(rig.metrics().evicted.Value(), 0u);
  EXPECT_GT(rig.metrics().traps.Value(), 0u);
}

TEST_P(PagerContentsTest, WholePagesSurviveEviction) {
  const auto& [road, fabric] = GetParam();
  PagerRig rig({.fabric = fabric.url, .use_move = road == Road::kMove});
  const size_t pages = std::max(Rounds(rig.pages()), 2 * rig.pager().budget().limit());
  for (uint64_t value = 1; value <= 3; ++value) {
    rig.FillRange(0, pages, value);
    for (PageIndex page = 0; page < pages; ++page) ASSERT_TRUE(rig.Holds(page, value)) << page;
    // The next value meets far pages and write-backs of this one.
  }
}

std::string ContentsName(const ::testing::TestParamInfo<std::tuple<Road, FabricCase>>& info) {
  const auto& [road, fabric] = info.param;
  return std::string(road == Road::kMove ? "Move" : "Copy") + fabric.name;
}
INSTANTIATE_TEST_SUITE_P(Fabrics, PagerContentsTest,
                         ::testing::Combine(::testing::Values(Road::kMove, Road::kCopy),
                                            ::testing::ValuesIn(kFabrics)),
                         ContentsName);

// --- What travels, and what does not ---

class PagerTest : public RoadTest {
 protected:
  RigOptions Options(const char* fabric = "emulated:none") const {
    return {.fabric = fabric, .use_move = UseMove()};
  }
};

TEST_P(PagerTest, TakesTheRoadThatItIsTold) {
  PagerRig rig(Options());
  EXPECT_EQ(rig.pager().moves_pages(), UseMove());
  PagerRig pinning(Options("emulated:none,pins=1"));
  EXPECT_FALSE(pinning.pager().moves_pages());
}

TEST_P(PagerTest, FreshPagesReadAsZeroesAndCostNoTransfer) {
  PagerRig rig(Options());
  for (PageIndex page = 0; page < rig.pages(); ++page) ASSERT_TRUE(rig.HoldsZeroes(page));
  EXPECT_EQ(rig.ReadBytes(), 0u);
  EXPECT_EQ(rig.WrittenBytes(), 0u);
  EXPECT_GE(rig.metrics().populated.Value(), rig.pages());
}

TEST_P(PagerTest, PagesOfZeroesBecomeFreshAgainWithoutAWrite) {
  PagerRig rig(Options());
  for (PageIndex page = 0; page < 8; ++page) {
    rig.Words(page)[5] = 1;
    rig.Words(page)[5] = 0;
  }
  rig.Evict(0, 8);
  for (PageIndex page = 0; page < 8; ++page) EXPECT_EQ(rig.StateOf(page), kFar | kFresh);
  EXPECT_EQ(rig.WrittenBytes(), 0u);
  EXPECT_GE(rig.metrics().zero.Value(), 8u);
  EXPECT_TRUE(rig.HoldsZeroes(3));
  EXPECT_EQ(rig.ReadBytes(), 0u);
}

TEST_P(PagerTest, APageThatBecomesZeroForgetsItsFarCopy) {
  PagerRig rig(Options());
  rig.Fill(0, 1);
  rig.Evict(0);
  for (size_t i = 0; i < kPageWords; ++i) rig.Words(0)[i] = 0;
  rig.Evict(0);
  EXPECT_EQ(rig.StateOf(0), kFar | kFresh);
  EXPECT_TRUE(rig.HoldsZeroes(0));
}

TEST_P(PagerTest, CleanPagesAreDroppedWithoutAWrite) {
  PagerRig rig(Options());
  rig.FillRange(0, 16, 1);
  rig.Evict(0, 16);
  EXPECT_EQ(rig.WrittenBytes(), 16 * base::kPageSize);
  for (int round = 0; round < 3; ++round) {
    for (PageIndex page = 0; page < 16; ++page) ASSERT_TRUE(rig.Holds(page, 1));
    rig.Evict(0, 16);
  }
  EXPECT_EQ(rig.WrittenBytes(), 16 * base::kPageSize);
  EXPECT_EQ(rig.ReadBytes(), 3 * 16 * base::kPageSize);
  EXPECT_EQ(rig.metrics().clean.Value(), 3u * 16);
}

TEST_P(PagerTest, AStoreOfTheOldValueLeavesThePageClean) {
  PagerRig rig(Options());
  rig.Fill(0, 1);
  rig.Evict(0);
  rig.Fill(0, 1);
  rig.Evict(0);
  EXPECT_EQ(rig.WrittenBytes(), base::kPageSize);
  rig.Words(0)[7] = 0;
  rig.Evict(0);
  EXPECT_EQ(rig.WrittenBytes(), 2 * base::kPageSize);
}

TEST_P(PagerTest, WhatTheCollectorBringsInIsUntouched) {
  PagerRig rig(Options());
  rig.FillRange(0, 8, 1);
  rig.Evict(0, 8);
  rig.pager().MakeLocal(0, rig.port(), Cause::kCollector);
  EXPECT_EQ(rig.StateOf(0), kLocal | kUntouched | kCold);
  EXPECT_EQ(rig.metrics().demand_collector.Value(), 1u);
  rig.pager().MakeLocal(0, rig.port(), Cause::kMutator);
  EXPECT_EQ(rig.StateOf(0), kLocal);
  EXPECT_EQ(rig.metrics().demand_mutator.Value(), 0u);
  EXPECT_EQ(rig.metrics().touches.Value(), 1u);
}

TEST_P(PagerTest, PopulateStopsAtThePageThatIsNotFresh) {
  PagerRig rig(Options());
  rig.Fill(5, 1);
  EXPECT_EQ(rig.pager().Populate(5, 4), 0u);
  EXPECT_EQ(rig.pager().Populate(2, 16), 3u);
  for (PageIndex page = 2; page < 6; ++page) EXPECT_TRUE(rig.pager().IsLocal(page));
  EXPECT_TRUE(rig.IsFar(6));
  EXPECT_TRUE(rig.HoldsZeroes(4));
  EXPECT_TRUE(rig.Holds(5, 1));
  EXPECT_EQ(rig.pager().budget().taken(), 4u);
}

TEST_P(PagerTest, PopulatedPagesAreZeroWhateverTheirFramesHeldBefore) {
  PagerRig rig(Options());
  rig.FillRange(0, 200, 1);  // frames with old contents circulate
  for (PageIndex page = 200; page < 400; page += 16) {
    for (PageIndex p = page; p < page + 16;) {
      const size_t n = rig.pager().Populate(p, page + 16 - p);
      ASSERT_GT(n, 0u);
      p += n;
    }
    for (PageIndex p = page; p < page + 16; ++p) ASSERT_TRUE(rig.HoldsZeroes(p)) << p;
  }
  for (PageIndex page = 0; page < 200; ++page) ASSERT_TRUE(rig.Holds(page, 1)) << page;
}

TEST_P(PagerTest, ARangeComesInWithSeveralReadsInFlight) {
  PagerRig rig({.pages = 512, .local_pages = 256, .use_move = UseMove()});
  rig.FillRange(0, 96, 1);
  rig.Evict(0, 96);
  const uint64_t runs = rig.metrics().latency.Count();
  rig.pager().MakeRangeLocal(0, 96, rig.port());
  EXPECT_EQ(rig.metrics().demand_mutator.Value(), 96u);
  EXPECT_EQ(rig.ReadBytes(), 96 * base::kPageSize);
  EXPECT_LT(rig.metrics().latency.Count() - runs, 96u);  // one a batch
  for (PageIndex page = 0; page < 96; ++page) EXPECT_TRUE(rig.Holds(page, 1));
  EXPECT_EQ(rig.metrics().traps.Value(), 96u);  // of FillRange
}

TEST_P(PagerTest, ARangeMayHoldPagesOfAllKinds) {
  PagerRig rig(Options());
  rig.FillRange(0, 40, 1);
  rig.Evict(0, 40);
  for (PageIndex page = 0; page < 40; page += 3) EXPECT_TRUE(rig.Holds(page, 1));  // local
  rig.pager().MakeRangeLocal(0, 50, rig.port());  // the last are fresh
  for (PageIndex page = 0; page < 40; ++page) EXPECT_TRUE(rig.Holds(page, 1));
  for (PageIndex page = 40; page < 50; ++page) EXPECT_TRUE(rig.HoldsZeroes(page));
}

TEST_P(PagerTest, ARangeMayBeLargerThanTheBudget) {
  PagerRig rig(Options());
  rig.FillRange(0, rig.pages(), 1);
  rig.pager().MakeRangeLocal(0, rig.pages(), rig.port());
  EXPECT_LE(rig.pager().budget().peak(), 64u);
  for (PageIndex page = 0; page < rig.pages(); ++page) ASSERT_TRUE(rig.Holds(page, 1));
}

TEST_P(PagerTest, APageIsTakenBackFromItsWriteInFlight) {
  PagerRig rig(Options("emulated:none,write_latency_ns=50000000,timeout_ms=10000"));
  uint64_t value = 0;
  for (; rig.metrics().rescues.Value() == 0; ++value) {
    rig.FillRange(0, 4, value);
    while (Residency(rig.StateOf(0)) == kLocal || Residency(rig.StateOf(0)) == kLeaving) {
      rig.Press();
    }
    for (PageIndex page = 0; page < 4; ++page) ASSERT_TRUE(rig.Holds(page, value));
  }
  // What is stored now is newer than the write in flight, which must not win.
  rig.FillRange(0, 4, value);
  rig.Evict(0, 4);
  for (PageIndex page = 0; page < 4; ++page) EXPECT_TRUE(rig.Holds(page, value));
}

// --- Dead pages ---

TEST_P(PagerTest, DeadFarPagesReadAsZeroesWithoutAFetch) {
  PagerRig rig(Options());
  rig.FillRange(0, 8, 1);
  rig.Evict(0, 8);
  EXPECT_FALSE(rig.pager().IsWorthless(3));
  rig.pager().MarkDead(2, 4);
  EXPECT_TRUE(rig.pager().IsWorthless(3));
  EXPECT_EQ(rig.StateOf(3), kFar | kFresh);
  EXPECT_FALSE(rig.pager().IsWorthless(6));
  for (PageIndex page = 2; page < 6; ++page) EXPECT_TRUE(rig.HoldsZeroes(page));
  EXPECT_EQ(rig.ReadBytes(), 0u);
  EXPECT_TRUE(rig.Holds(1, 1));
  EXPECT_TRUE(rig.Holds(6, 1));
}

TEST_P(PagerTest, TheFarSideIsToldWhichCopiesAreDead) {
  constexpr size_t kHugePage = 512;  // the emulated far side gives memory back by huge pages
  PagerRig rig({.pages = 2 * kHugePage, .use_move = UseMove()});
  rig.FillRange(0, 2 * kHugePage, 1);
  rig.Evict(0, 2 * kHugePage);
  rig.pager().MarkDead(0, kHugePage);
  EXPECT_EQ(rig.fabric().Stats().discarded_bytes, kHugePage * base::kPageSize);
  EXPECT_TRUE(rig.Holds(kHugePage, 1));
}

TEST_P(PagerTest, DeadLocalPagesLeaveWithoutAWrite) {
  PagerRig rig(Options());
  rig.FillRange(0, 8, 1);
  rig.pager().MarkDead(0, 8);
  for (PageIndex page = 0; page < 8; ++page) EXPECT_TRUE(rig.pager().IsWorthless(page));
  rig.Evict(0, 8);
  EXPECT_EQ(rig.WrittenBytes(), 0u);
  EXPECT_EQ(rig.metrics().dead.Value(), 8u);
  EXPECT_TRUE(rig.HoldsZeroes(4));
}

TEST_P(PagerTest, ADirtyPageThatDiedForgetsItsOldFarCopy) {
  PagerRig rig(Options());
  rig.Fill(0, 1);
  rig.Evict(0);
  rig.Fill(0, 2);
  rig.pager().MarkDead(0, 1);
  rig.Evict(0);
  EXPECT_EQ(rig.StateOf(0), kFar | kFresh);
  EXPECT_TRUE(rig.HoldsZeroes(0));
}

TEST_P(PagerTest, ARevivedPageKeepsWhatIsStored) {
  PagerRig rig(Options());
  rig.FillRange(0, 3, 1);
  rig.Evict(1);
  rig.Fill(2, 1);  // local as page 0
  rig.pager().MarkDead(0, 3);
  for (PageIndex page = 0; page < 3; ++page) {
    rig.pager().Revive(page);
    rig.Fill(page, 2);
  }
  EXPECT_FALSE(rig.pager().IsWorthless(0));
  rig.Evict(0, 3);
  for (PageIndex page = 0; page < 3; ++page) EXPECT_TRUE(rig.Holds(page, 2));
}

TEST_P(PagerTest, RevivingAPageThatLivesChangesNothing) {
  PagerRig rig(Options());
  rig.Fill(0, 1);
  rig.Evict(0);
  rig.pager().Revive(0);
  EXPECT_TRUE(rig.Holds(0, 1));
}

TEST_P(PagerTest, PagesMayDieAndLiveAgainWhileTheyAreEvicted) {
  PagerRig rig({.pages = 128, .use_move = UseMove()});
  std::atomic<bool> stop{false};
  std::thread presser([&] {  // keeps frames short
    BoundPort port(rig.pager());
    for (PageIndex page = 64; !stop.load(); page = page == 127 ? 64 : page + 1) {
      rig.Words(page)[0] = rig.Words(page)[0] + 1;
    }
  });
  Random random(TestSeed());
  std::vector<uint64_t> values(64, 0);  // 0: dead
  for (size_t i = 0; i < Rounds(20000); ++i) {
    const PageIndex page = random.Below(64);
    uint64_t& value = values[page];
    if (value == 0) {
      value = i + 1;
      rig.pager().Revive(page);
      for (size_t w = 0; w < kPageWords; w += 64) rig.Words(page)[w] = value + w;
    } else {
      for (size_t w = 0; w < kPageWords; w += 64) ASSERT_EQ(rig.Words(page)[w], value + w);
      if (random.OneIn(2)) {
        rig.pager().MarkDead(page, 1);
        value = 0;
      }
    }
  }
  stop.store(true);
  presser.join();
}

TEST_P(PagerTest, TheFootprintCountsPagesThatHoldSomething) {
  PagerRig rig(Options());
  EXPECT_EQ(rig.pager().footprint().peak(), 0u);
  rig.FillRange(0, 200, 1);
  EXPECT_EQ(rig.pager().footprint().peak(), 200u);
  rig.Evict(0, 200);  // needs 64 pages at most beside them
  EXPECT_LE(rig.pager().footprint().peak(), 264u);
  rig.pager().MarkDead(0, 200);
  rig.FillRange(200, 100, 1);
  EXPECT_LE(rig.pager().footprint().peak(), 264u);
}

// --- Pins ---

class Pipe {
 public:
  Pipe() { EXPECT_EQ(pipe(fds_), 0); }
  ~Pipe() {
    close(fds_[0]);
    close(fds_[1]);
  }
  ssize_t Write(const void* from, size_t bytes) { return write(fds_[1], from, bytes); }
  ssize_t Read(void* to, size_t bytes) { return read(fds_[0], to, bytes); }

 private:
  int fds_[2];
};

TEST_P(PagerTest, PinnedPagesStayLocalUnderPressure) {
  PagerRig rig(Options());
  rig.FillRange(0, 64, 1);
  rig.Evict(0, 64);
  rig.pager().Pin(8, 24, rig.port());
  const uint64_t traps = rig.metrics().traps.Value();
  for (int i = 0; i < 1000; ++i) {
    rig.Press();
    for (PageIndex page = 8; page < 32; ++page) ASSERT_TRUE(rig.pager().IsLocal(page)) << page;
  }
  for (PageIndex page = 8; page < 32; ++page) EXPECT_TRUE(rig.Holds(page, 1));
  EXPECT_EQ(rig.metrics().traps.Value(), traps);
  rig.pager().Unpin(8, 24);
  rig.Evict(8, 24);  // they may leave again
}

TEST_P(PagerTest, PinsOfAPageAddUp) {
  PagerRig rig(Options());
  rig.pager().Pin(0, 2, rig.port());
  rig.pager().Pin(1, 2, rig.port());
  rig.pager().Unpin(0, 2);
  for (int i = 0; i < 500; ++i) rig.Press();
  EXPECT_TRUE(rig.pager().IsLocal(1));
  rig.pager().Unpin(1, 2);
  rig.Evict(0, 3);
}

TEST_P(PagerTest, SystemCallsTakePinnedBuffersOnly) {
  PagerRig rig(Options());
  rig.FillRange(0, 2, 1);
  rig.Evict(0, 2);
  Pipe pipe;
  errno = 0;
  EXPECT_EQ(pipe.Write(rig.Address(0), base::kPageSize), -1);
  EXPECT_EQ(errno, EFAULT);
  rig.pager().Pin(0, 1, rig.port());
  EXPECT_EQ(pipe.Write(rig.Address(0), base::kPageSize), ssize_t{base::kPageSize});
  rig.pager().Unpin(0, 1);

  errno = 0;
  EXPECT_EQ(pipe.Read(rig.Address(1), base::kPageSize), -1);
  EXPECT_EQ(errno, EFAULT);
  rig.pager().Pin(1, 1, rig.port());
  EXPECT_EQ(pipe.Read(rig.Address(1), base::kPageSize), ssize_t{base::kPageSize});
  rig.pager().Unpin(1, 1);
  rig.Evict(1);
  // What came through the pipe was written back as any store is.
  EXPECT_EQ(rig.Words(1)[9], PagerRig::Pattern(0, 1, 9));
}

TEST_P(PagerTest, ThreadsPinAndUnpinPagesThatAreLeaving) {
  PagerRig rig({.pages = 256, .local_pages = 64, .use_move = UseMove()});
  const uint64_t seed = TestSeed();
  std::vector<std::thread> threads;
  for (uint64_t t = 0; t < 3; ++t) {
    threads.emplace_back([&, t] {
      BoundPort port(rig.pager());
      Random random(seed + t);
      Pipe pipe;
      for (size_t i = 0; i < Rounds(3000); ++i) {
        const PageIndex first = random.Below(rig.pages() - 4);
        rig.pager().Pin(first, 4, *port);
        const uint64_t value = random.Bits();
        ASSERT_EQ(pipe.Write(&value, sizeof value), ssize_t{sizeof value});
        // Only this thread writes this word, by way of the kernel, which never traps.
        volatile uint64_t* const word = rig.Words(first + random.Below(4)) + t;
        ASSERT_EQ(pipe.Read(const_cast<uint64_t*>(word), sizeof value), ssize_t{sizeof value});
        ASSERT_EQ(*word, value);
        rig.pager().Unpin(first, 4);
        rig.Words(random.Below(rig.pages()))[8 + t] = i;
      }
    });
  }
  for (auto& thread : threads) thread.join();
}

using PagerDeathTest = PagerTest;

TEST_P(PagerDeathTest, MoreThanHalfOfTheBudgetCannotBePinned) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        PagerRig rig(Options());
        rig.pager().Pin(0, 33, rig.port());
      },
      "more than half of local memory would be pinned");
}

TEST_P(PagerDeathTest, ADeadPageCannotBeTouchedWhereItIsProtected) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const RigOptions options{.use_move = UseMove(), .protect_dead = true};
  EXPECT_DEATH(
      {
        PagerRig rig(options);
        rig.Fill(0, 1);
        rig.pager().MarkDead(0, 1);
        (void)rig.Words(0)[0];
      },
      "a dead object was accessed");
  EXPECT_DEATH(
      {
        PagerRig rig(options);
        rig.Fill(0, 1);
        rig.Evict(0);
        rig.pager().MarkDead(0, 1);
        rig.pager().MakeLocal(0, rig.port(), Cause::kMutator);
      },
      "a dead object was accessed");
}

TEST_P(PagerTest, MarkingProtectedPagesDeadAgainKeepsTheFootprintRight) {
  PagerRig rig({.use_move = UseMove(), .protect_dead = true});
  rig.FillRange(0, 4, 1);
  rig.Evict(0, 4);
  const size_t peak = rig.pager().footprint().peak();
  for (int cycle = 0; cycle < 100; ++cycle) rig.pager().MarkDead(0, 4);
  rig.Fill(10, 1);
  EXPECT_LE(rig.pager().footprint().peak(), peak + 1);
}

// --- Odds and ends ---

TEST_P(PagerTest, TooLittleLocalMemoryIsRefused) {
  const auto fabric = std::move(rdma::Fabric::Open("emulated:none").value());
  base::Registry registry;
  PagerOptions options;
  options.heap_bytes = 1 << 20;
  options.local_pages = Pager::kMinLocalPages - 1;
  auto pager = Pager::Create(options, *fabric, registry);
  ASSERT_FALSE(pager.ok());
  EXPECT_EQ(pager.status().code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(pager.status().message(), HasSubstr("too little"));
}

TEST_P(PagerTest, ArmedPagesGoThroughTheSlowPathOnceAndStayTouched) {
  PagerRig rig(Options());
  rig.FillRange(0, 4, 1);
  rig.pager().table().state(1).store(kLocal | kUntouched);
  const uint64_t touches = rig.metrics().touches.Value();
  rig.pager().ArmAllPages();
  EXPECT_EQ(rig.StateOf(0), kLocal | kArmed);
  EXPECT_NE(rig.StateOf(1), kLocal);
  for (PageIndex page = 0; page < 2; ++page) {
    rig.pager().MakeLocal(page, rig.port(), Cause::kMutator);
    EXPECT_EQ(rig.StateOf(page), kLocal);
  }
  EXPECT_EQ(rig.metrics().touches.Value(), touches + 1);
  EXPECT_TRUE(rig.IsFar(5));
}

TEST_P(PagerTest, DestructionAbandonsWritesInFlight) {
  PagerRig rig(Options("emulated:none,write_latency_ns=10000000000,timeout_ms=60000"));
  rig.FillRange(0, 200, 1);
}

TANDEM_ON_BOTH_ROADS(PagerTest);
TANDEM_ON_BOTH_ROADS(PagerDeathTest);

}  // namespace
}  // namespace tandem::swap
