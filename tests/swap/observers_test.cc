#include "runtime/swap/observers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <atomic>
#include <thread>
#include <vector>

#include "tests/swap/pager_rig.h"

namespace tandem::swap {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// What one thread's observer was told.
struct Told {
  // Observers are called in the fault handler as well, where nothing may be allocated.
  Told() {
    misses.reserve(1024);
    hits.reserve(1024);
  }

  std::vector<PageIndex> misses;
  std::vector<PageIndex> hits;
};

class Recorder : public AccessObserver {
 public:
  Recorder(PagerRig& rig, Told& told) : rig_(rig), told_(told) {}

  void OnMiss(PageIndex page) override {
    EXPECT_EQ(Residency(rig_.StateOf(page)), kFetching);
    told_.misses.push_back(page);
  }
  void OnHit(PageIndex page) override {
    EXPECT_EQ(rig_.StateOf(page), kLocal);
    told_.hits.push_back(page);
  }

 private:
  PagerRig& rig_;
  Told& told_;
};

// What became of prefetched pages.
class Fates : public EarlyObserver {
 public:
  void OnUsed(size_t pages) override { used += pages; }
  void OnWasted(size_t pages) override { wasted += pages; }
  void OnDropped(size_t pages) override { dropped += pages; }

  std::atomic<size_t> used{0};
  std::atomic<size_t> wasted{0};
  std::atomic<size_t> dropped{0};
};

class ObserversTest : public RoadTest {
 protected:
  RigOptions Options(const char* fabric = "emulated:none") {
    return {.fabric = fabric, .local_pages = 512, .use_move = UseMove(), .prefetched = &fates_};
  }
  static void Fetch(PagerRig& rig, PageIndex page, Purpose purpose = Purpose::kPrefetch) {
    ASSERT_TRUE(Eventually([&] { return rig.pager().arrivals().Post({&page, 1}, purpose) == 1; }));
    rig.LandAll();
  }

  Fates fates_;
  Told told_;
};

TEST_P(ObserversTest, AMissIsToldOnceWhileItsReadIsInFlight) {
  PagerRig rig(Options("emulated:none,damage=0.2"));
  rig.FillRange(0, 64, 1);
  rig.Evict(0, 64);
  rig.pager().UnbindThread();
  BoundPort port(rig.pager(), std::make_unique<Recorder>(rig, told_));
  std::vector<PageIndex> all;
  for (PageIndex page = 0; page < 64; ++page) {
    all.push_back(page);
    rig.pager().MakeLocal(page, *port, Cause::kMutator);
    rig.pager().MakeLocal(page, *port, Cause::kMutator);
  }
  EXPECT_EQ(told_.misses, all);
  EXPECT_THAT(told_.hits, IsEmpty());
  EXPECT_GT(rig.metrics().damaged.Value(), 0u);
}

TEST_P(ObserversTest, AFaultIsAMissAsWell) {
  PagerRig rig(Options());
  rig.Fill(3, 1);
  rig.Evict(3);
  rig.pager().UnbindThread();
  BoundPort port(rig.pager(), std::make_unique<Recorder>(rig, told_));
  EXPECT_TRUE(rig.Holds(3, 1));
  EXPECT_THAT(told_.misses, ElementsAre(3));
}

TEST_P(ObserversTest, NeitherFreshPagesNorTheCollectorsAreMisses) {
  PagerRig rig(Options());
  rig.Fill(3, 1);
  rig.Evict(3);
  rig.pager().UnbindThread();
  BoundPort port(rig.pager(), std::make_unique<Recorder>(rig, told_));
  rig.pager().MakeLocal(4, *port, Cause::kMutator);
  rig.pager().MakeLocal(3, *port, Cause::kCollector);
  rig.pager().MakeLocal(3, *port, Cause::kMutator);
  EXPECT_THAT(told_.misses, IsEmpty());
  EXPECT_THAT(told_.hits, IsEmpty());
}

TEST_P(ObserversTest, TheFirstTouchOfAPrefetchedPageIsAHit) {
  PagerRig rig(Options());
  rig.FillRange(0, 4, 1);
  rig.Evict(0, 4);
  rig.MakeRoom();
  BoundPort port(rig.pager(), std::make_unique<Recorder>(rig, told_));
  Fetch(rig, 0);
  Fetch(rig, 1, Purpose::kHint);
  Fetch(rig, 2, Purpose::kLookAhead);
  Fetch(rig, 3, Purpose::kTrace);
  rig.pager().MakeLocal(0, *port, Cause::kCollector);  // does not touch it
  EXPECT_THAT(told_.hits, IsEmpty());
  for (int round = 0; round < 2; ++round) {
    for (PageIndex page = 0; page < 4; ++page) {
      rig.pager().MakeLocal(page, *port, Cause::kMutator);
    }
  }
  EXPECT_THAT(told_.hits, ElementsAre(0));
  EXPECT_THAT(told_.misses, IsEmpty());
  EXPECT_EQ(fates_.used, 1u);
  EXPECT_EQ(rig.metrics().prefetch.hits.Value(), 1u);
  EXPECT_EQ(rig.metrics().hint.hits.Value(), 1u);
  EXPECT_EQ(rig.metrics().lookahead.hits.Value(), 1u);
}

TEST_P(ObserversTest, AThreadWithoutAnObserverUsesPrefetchedPagesToo) {
  PagerRig rig(Options());
  rig.Fill(0, 1);
  rig.Evict(0);
  rig.MakeRoom();
  Fetch(rig, 0);
  rig.pager().MakeLocal(0, rig.port(), Cause::kMutator);
  EXPECT_EQ(fates_.used, 1u);
}

TEST_P(ObserversTest, APrefetchedPageThatLeavesOrDiesUntouchedIsWasted) {
  PagerRig rig(Options());
  rig.FillRange(0, 3, 1);
  rig.Evict(0, 3);
  rig.MakeRoom();
  Fetch(rig, 0);
  rig.Evict(0);
  EXPECT_EQ(fates_.wasted, 1u);
  rig.MakeRoom();
  Fetch(rig, 1);
  rig.pager().MarkDead(1, 1);
  EXPECT_EQ(fates_.wasted, 2u);
  rig.Evict(1);
  EXPECT_EQ(rig.metrics().prefetch.unused.Value(), 2u);
  rig.MakeRoom();
  Fetch(rig, 2, Purpose::kHint);
  rig.pager().MarkDead(2, 1);
  EXPECT_EQ(rig.metrics().hint.unused.Value(), 1u);
  EXPECT_EQ(fates_.wasted, 2u);
  EXPECT_EQ(fates_.used, 0u);
}

TEST_P(ObserversTest, APrefetchedPageIsWastedByProtectionToo) {
  RigOptions options = Options();
  options.protect_dead = true;
  PagerRig rig(options);
  rig.Fill(0, 1);
  rig.Evict(0);
  rig.MakeRoom();
  Fetch(rig, 0);
  rig.pager().MarkDead(0, 1);
  EXPECT_EQ(fates_.wasted, 1u);
  EXPECT_EQ(rig.metrics().prefetch.unused.Value(), 1u);
}

TEST_P(ObserversTest, APageThatStaysDamagedOnItsWayIsDropped) {
  PagerRig rig(Options("emulated:none,damage=1"));
  rig.FillRange(0, 4, 1);
  rig.Evict(0, 4);
  rig.MakeRoom();
  const PageIndex pages[] = {0, 1, 2, 3};
  ASSERT_EQ(rig.pager().arrivals().Post(pages, Purpose::kPrefetch), 4u);
  rig.LandAll();
  EXPECT_EQ(fates_.dropped, 4u);
  EXPECT_EQ(rig.metrics().prefetch.dropped.Value(), 4u);
  EXPECT_EQ(rig.metrics().prefetch.issued.Value(), 4u);
  for (const PageIndex page : pages) EXPECT_TRUE(rig.IsFar(page));
}

TEST_P(ObserversTest, WhatHadNoRoomIsNotCountedAsPosted) {
  PagerRig rig(Options());
  rig.FillRange(0, 200, 1);
  rig.Evict(0, 200);
  rig.MakeRoom();
  std::vector<PageIndex> pages;
  for (PageIndex page = 0; page < 200; ++page) pages.push_back(page);
  size_t posted = 0;
  rig.pager().arrivals().Post(pages, Purpose::kPrefetch, &posted);
  EXPECT_GT(posted, 0u);
  EXPECT_LT(posted, 200u);
  size_t again = 0;
  EXPECT_TRUE(Eventually([&] {  // the evictor may be landing pages just now
    return rig.pager().arrivals().Post({pages.data(), posted}, Purpose::kPrefetch, &again) ==
           posted;
  }));
  EXPECT_EQ(again, 0u);  // they are on their way already
  EXPECT_EQ(rig.metrics().prefetch.issued.Value(), posted);
  EXPECT_EQ(fates_.dropped, 0u);  // nobody has been told that they were on their way
  EXPECT_LE(rig.pager().budget().peak(), rig.pager().budget().limit());
}

#ifndef __SANITIZE_THREAD__  // TSan runs handlers late and with faults blocked: the process dies

// A signal handler that touches far memory, while the thread is in an observer.
std::atomic<volatile uint64_t*> g_touched_by_handler{nullptr};
void TouchFarMemory(int) { (void)*g_touched_by_handler.load(); }

class Interrupted : public AccessObserver {
 public:
  void OnMiss(PageIndex) override { Interrupt(); }
  void OnHit(PageIndex) override { Interrupt(); }
  int calls = 0;

 private:
  void Interrupt() {
    EXPECT_FALSE(inside_);
    inside_ = true;
    ++calls;
    raise(SIGUSR1);
    inside_ = false;
  }
  bool inside_ = false;
};

// Pages 0 to 3 are far; each miss and hit of this thread is interrupted by a handler that touches
// the page that was set last.
class InterruptedRig {
 public:
  explicit InterruptedRig(RigOptions options) : rig_(std::move(options)) {
    rig_.FillRange(0, 4, 1);
    rig_.Evict(0, 4);
    rig_.MakeRoom();
    rig_.pager().UnbindThread();
    auto observer = std::make_unique<Interrupted>();
    observer_ = observer.get();
    port_.emplace(rig_.pager(), std::move(observer));
    signal(SIGUSR1, TouchFarMemory);
  }
  ~InterruptedRig() { signal(SIGUSR1, SIG_DFL); }

  PagerRig& rig() { return rig_; }
  Port& port() { return **port_; }
  int calls() const { return observer_->calls; }
  void HandlerTouches(PageIndex page) { g_touched_by_handler = rig_.Words(page); }

 private:
  PagerRig rig_;
  Interrupted* observer_ = nullptr;
  std::optional<BoundPort> port_;
};

TEST_P(ObserversTest, AFaultOfASignalHandlerDoesNotCallTheObserverThatItInterrupts) {
  InterruptedRig interrupted(Options());
  PagerRig& rig = interrupted.rig();
  interrupted.HandlerTouches(1);
  rig.pager().MakeLocal(0, interrupted.port(), Cause::kMutator);
  EXPECT_EQ(interrupted.calls(), 1);
  Fetch(rig, 2);
  interrupted.HandlerTouches(3);
  rig.pager().MakeLocal(2, interrupted.port(), Cause::kMutator);
  EXPECT_EQ(interrupted.calls(), 2);
  for (PageIndex page = 0; page < 4; ++page) EXPECT_TRUE(rig.Holds(page, 1));
}

TEST_P(ObserversTest, AFaultOfASignalHandlerThatInterruptsATrapIsServed) {
  InterruptedRig interrupted(Options());
  interrupted.HandlerTouches(1);
  EXPECT_TRUE(interrupted.rig().Holds(0, 1));  // traps
  EXPECT_EQ(interrupted.calls(), 1);
  EXPECT_FALSE(interrupted.rig().IsFar(1));
  EXPECT_TRUE(interrupted.rig().Holds(1, 1));
}

#endif

TEST_P(ObserversTest, ARangeAskedForComesAsFarAsThereIsRoom) {
  PagerRig rig(Options());
  rig.FillRange(0, 200, 1);
  rig.Evict(0, 200);
  rig.MakeRoom();
  rig.pager().FetchRangeEarly(2, 4);
  rig.LandAll();
  for (PageIndex page = 0; page < 8; ++page) EXPECT_EQ(rig.IsFar(page), page < 2 || page >= 6);
  EXPECT_EQ(rig.metrics().hint.issued.Value(), 4u);
  EXPECT_EQ(rig.ReadBytes(), 4 * base::kPageSize);
  rig.pager().FetchRangeEarly(0, SIZE_MAX);
  rig.LandAll();
  EXPECT_FALSE(rig.IsFar(0));
  rig.pager().FetchRangeEarly(rig.pager().table().used(), 5);
  rig.pager().FetchRangeEarly(PageIndex{1} << 60, SIZE_MAX);
  EXPECT_LE(rig.pager().budget().peak(), rig.pager().budget().limit());
  for (PageIndex page = 0; page < 200; ++page) EXPECT_TRUE(rig.Holds(page, 1));
}

TEST_P(ObserversTest, OnlyFarPagesThatHoldSomethingNeedARead) {
  PagerRig rig(Options());
  rig.FillRange(0, 2, 1);
  rig.Evict(0);
  EXPECT_TRUE(rig.pager().NeedsRead(0));
  rig.Fill(1, 2);
  EXPECT_FALSE(rig.pager().NeedsRead(1));
  EXPECT_FALSE(rig.pager().NeedsRead(2));  // fresh
  EXPECT_FALSE(rig.pager().NeedsRead(rig.pager().table().used()));
  EXPECT_FALSE(rig.pager().NeedsRead(static_cast<PageIndex>(-1)));
  rig.pager().MarkDead(0, 1);
  EXPECT_FALSE(rig.pager().NeedsRead(0));
}

TANDEM_ON_BOTH_ROADS(ObserversTest);

}  // namespace
}  // namespace tandem::swap
