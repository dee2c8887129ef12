#include "runtime/swap/arrivals.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <algorithm>
#include <csignal>
#include <deque>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <map>
#include <numeric>
#include <set>
#include <span>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include "runtime/swap/page_hash.h"
#include "runtime/swap/port.h"
#include "tests/base/random.h"
#include "tests/swap/pager_rig.h"

namespace tandem::swap {
namespace {

using tandem::testing::Random;
using tandem::testing::Rounds;
using tandem::testing::TestSeed;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::SizeIs;

constexpr Purpose kAllPurposes[] = {Purpose::kRange, Purpose::kPrefetch, Purpose::kHint,
                                    Purpose::kLookAhead, Purpose::kTrace};
constexpr Purpose kEarlyPurposes[] = {Purpose::kPrefetch, Purpose::kHint, Purpose::kLookAhead};

std::vector<PageIndex> PagesFrom(PageIndex first, size_t count) {
  std::vector<PageIndex> pages(count);
  std::iota(pages.begin(), pages.end(), first);
  return pages;
}

// --- On their own, over a channel that does as it is told ---

constexpr uint64_t kTimeoutNs = 200'000;
// For tests that count reads: none shall be overdue because this thread lost its processor.
constexpr uint64_t kNever = 100'000'000'000;

// What becomes of the reads.
struct Script {
  size_t depth = 64;
  bool held = false;                  // nothing completes
  bool dead = false;                  // what completes, fails
  bool reversed = false;              // the read posted last completes first
  bool complete_at_cancel = false;    // Cancel comes just too late
  bool loses_all = false;             // completions never come
  std::set<PageIndex> loses;          // of these, that of the next read
  std::map<PageIndex, int> damages;   // so many reads of the page arrive damaged
  std::function<void()> during_post;  // called in the middle of a post
  std::vector<rdma::Transfer> posted;
};

class ScriptedChannel : public rdma::Channel {
 public:
  explicit ScriptedChannel(Script& script) : script_(script) {}

  static uint64_t Word(PageIndex page, size_t i) { return PagerRig::Pattern(page, 7, i); }

  size_t Post(std::span<const rdma::Transfer> transfers) override {
    if (script_.during_post) script_.during_post();
    size_t n = 0;
    for (const rdma::Transfer& transfer : transfers) {
      if (in_flight() == script_.depth) break;
      ++n;
      script_.posted.push_back(transfer);
      const bool lost = script_.loses_all || script_.loses.erase(PageOf(transfer)) != 0;
      (lost ? lost_ : flying_).push_back(transfer);
    }
    return n;
  }

  size_t Poll(std::span<rdma::Completion> done) override {
    size_t n = 0;
    while (n < done.size() && !flying_.empty() && !script_.held) {
      if (script_.reversed) std::rotate(flying_.begin(), flying_.end() - 1, flying_.end());
      const rdma::Transfer read = flying_.front();
      flying_.pop_front();
      if (!script_.dead) Deliver(read);
      done[n++] = {read.cookie, script_.dead ? rdma::Outcome::kServerLost : rdma::Outcome::kDone};
    }
    return n;
  }

  bool Cancel(uint64_t cookie) override {
    for (auto* list : {&lost_, &flying_}) {
      const auto found = std::find_if(list->begin(), list->end(),
                                      [&](const auto& read) { return read.cookie == cookie; });
      if (found == list->end()) continue;
      const rdma::Transfer read = *found;
      list->erase(found);
      if (script_.complete_at_cancel) flying_.push_back(read);
      return !script_.complete_at_cancel;
    }
    ADD_FAILURE() << "a read that is not in flight was cancelled";
    return false;
  }

  size_t depth() const override { return script_.depth; }
  size_t in_flight() const override { return lost_.size() + flying_.size(); }

 private:
  static PageIndex PageOf(const rdma::Transfer& read) {
    return read.far.offset_bytes / base::kPageSize;
  }

  void Deliver(const rdma::Transfer& read) {
    const PageIndex page = PageOf(read);
    for (size_t i = 0; i < kPageWords; ++i) static_cast<uint64_t*>(read.local)[i] = Word(page, i);
    if (int& left = script_.damages[page]; left > 0) {
      --left;
      static_cast<uint64_t*>(read.local)[5] ^= 1;
    }
  }

  Script& script_;
  std::deque<rdma::Transfer> flying_, lost_;
};

// Arrivals with all that they need, and no pager: nobody else takes frames or lands.
class ArrivalsRig {
 public:
  struct Options {
    bool move = true;
    size_t pages = 512;  // all far
    size_t frames = 1024;
    size_t free_frames = SIZE_MAX;  // at first
    size_t reserve = 0;
    std::function<void()> took_frames = {};
    uint64_t timeout_ns = kTimeoutNs;
    Script script = {};
  };

  explicit ArrivalsRig(Options options) : script_(std::move(options.script)) {
    memory_ = base::OsMemory::Reserve(
                  base::RoundUp(options.pages * base::kPageSize, PageTable::kAlignment),
                  PageTable::kAlignment, "the test")
                  .value();
    madvise(memory_.data(), memory_.size(), MADV_NOHUGEPAGE);
    uffd_ = std::make_unique<Userfault>(std::move(Userfault::Open(options.move).value()));
    EXPECT_TRUE(
        uffd_->Register(memory_.address(), memory_.size(), uffd_->has_write_protect()).ok());
    table_ = std::move(PageTable::Create(memory_.address(), options.pages).value());
    staging_ = std::move(Staging::Create(*uffd_, options.move).value());
    mapper_ =
        std::make_unique<Mapper>(*uffd_, *staging_, options.move, metrics_.moved, metrics_.copied);
    slabs_ = std::make_unique<rdma::SlabMap>(*fabric_, options.pages);
    EXPECT_TRUE(slabs_->Grow(options.pages).ok());
    budget_ = std::make_unique<Budget>(options.frames);
    if (options.free_frames < options.frames) {
      budget_->TryTake(options.frames - options.free_frames);
    }
    table_->Extend(options.pages);
    for (PageIndex page = 0; page < options.pages; ++page) {
      uint64_t words[kPageWords];
      for (size_t i = 0; i < kPageWords; ++i) words[i] = ScriptedChannel::Word(page, i);
      table_->hash(page).store(HashPage(words));
      table_->state(page).store(kFar);
    }
    arrivals_ = std::make_unique<Arrivals>(ArrivalsParts{.table = *table_,
                                                         .staging = *staging_,
                                                         .mapper = *mapper_,
                                                         .budget = *budget_,
                                                         .slabs = *slabs_,
                                                         .metrics = metrics_,
                                                         .reserve = options.reserve,
                                                         .timeout_ns = options.timeout_ns,
                                                         .took_frames = options.took_frames},
                                           std::make_unique<ScriptedChannel>(script_));
  }

  Script& script() { return script_; }
  PageTable& table() { return *table_; }
  Budget& budget() { return *budget_; }
  PagerMetrics& metrics() { return metrics_; }
  Arrivals& arrivals() { return *arrivals_; }

  size_t Post(PageIndex first, size_t count, Purpose purpose = Purpose::kPrefetch) {
    return arrivals_->Post(PagesFrom(first, count), purpose);
  }
  // Lands until nothing is in flight.
  bool LandAll() {
    return Eventually([&] {
      arrivals_->Land();
      return arrivals_->in_flight() == 0;
    });
  }

  PageState StateOf(PageIndex page) { return table_->state(page).load(); }
  bool IsLocal(PageIndex page) { return Residency(StateOf(page)) == kLocal; }
  // A local page, else it is missing and traps for good.
  bool Holds(PageIndex page) {
    if (!IsLocal(page)) return false;
    const auto* words = reinterpret_cast<const uint64_t*>(table_->AddressOf(page));
    for (size_t i = 0; i < kPageWords; ++i) {
      if (words[i] != ScriptedChannel::Word(page, i)) return false;
    }
    return true;
  }
  std::vector<PageIndex> Local() {
    std::vector<PageIndex> local;
    for (PageIndex page = 0; page < table_->used(); ++page) {
      if (IsLocal(page)) local.push_back(page);
    }
    return local;
  }

  // All slots that are not taken.
  size_t FreeSlots() {
    std::vector<SlotRun> runs;
    size_t count = 0;
    for (;;) {
      SlotRun run = staging_->TryTakeReady(Staging::kMaxRun);
      if (run.count == 0) run = staging_->TryMakeReady(Staging::kMaxRun);
      if (run.count == 0) break;
      count += run.count;
      runs.push_back(run);
    }
    for (const SlotRun run : runs) staging_->PutReady(run);
    return count;
  }

 private:
  Script script_;
  const std::unique_ptr<rdma::Fabric> fabric_ =
      std::move(rdma::Fabric::Open("emulated:none").value());  // lends slabs
  base::Registry registry_;
  PagerMetrics metrics_{registry_};
  base::OsMemory memory_;
  std::unique_ptr<Userfault> uffd_;
  std::unique_ptr<PageTable> table_;
  std::unique_ptr<Budget> budget_;
  std::unique_ptr<Staging> staging_;
  std::unique_ptr<Mapper> mapper_;
  std::unique_ptr<rdma::SlabMap> slabs_;
  std::unique_ptr<Arrivals> arrivals_;
};

class ArrivalsTest : public RoadTest {
 protected:
  ArrivalsRig::Options Options() const { return {.move = UseMove()}; }
};

TEST_P(ArrivalsTest, WhatIsPostedLandsWithItsBytesAndItsFrames) {
  ArrivalsRig rig(Options());
  EXPECT_EQ(rig.Post(10, 40), 40u);
  EXPECT_EQ(rig.arrivals().in_flight(), 40u);
  EXPECT_EQ(rig.budget().taken(), 40u);
  EXPECT_EQ(rig.StateOf(10), kFetching);
  EXPECT_TRUE(rig.LandAll());
  EXPECT_EQ(rig.Local(), PagesFrom(10, 40));
  for (PageIndex page = 10; page < 50; ++page) EXPECT_TRUE(rig.Holds(page)) << page;
  EXPECT_EQ(rig.budget().taken(), 40u);
  EXPECT_EQ(rig.FreeSlots(), Staging::kSlots);
}

TEST_P(ArrivalsTest, PagesLandInTheStateOfTheirPurpose) {
  ArrivalsRig rig(Options());
  PageIndex page = 0;
  for (const Purpose purpose : kAllPurposes) rig.Post(page++, 1, purpose);
  EXPECT_TRUE(rig.LandAll());
  EXPECT_EQ(rig.StateOf(0), kLocal);
  EXPECT_EQ(rig.StateOf(1), kLocal | kUntouched | kPrefetched);
  EXPECT_EQ(rig.StateOf(2), kLocal | kUntouched | kPrefetched | kHinted);
  EXPECT_EQ(rig.StateOf(3), kLocal | kUntouched | kPrefetched | kCold);
  EXPECT_EQ(rig.StateOf(4), kLocal | kUntouched | kCold);
}

TEST_P(ArrivalsTest, PagesTravelInTheLaneOfTheirPurposeAndAreCountedForIt) {
  ArrivalsRig rig(Options());
  PageIndex page = 0;
  for (const Purpose purpose : kAllPurposes) {
    rig.Post(page, page + 1, purpose);
    page += page + 1;
  }
  std::map<rdma::Lane, size_t> lanes;
  for (const rdma::Transfer& read : rig.script().posted) ++lanes[read.lane];
  EXPECT_EQ(lanes[rdma::Lane::kDemand], 1u);
  EXPECT_EQ(lanes[rdma::Lane::kPrefetch], 2u + 4 + 8);
  EXPECT_EQ(lanes[rdma::Lane::kTrace], 16u);
  EXPECT_EQ(rig.metrics().demand_mutator.Value(), 1u);
  EXPECT_EQ(rig.metrics().prefetch.issued.Value(), 2u);
  EXPECT_EQ(rig.metrics().hint.issued.Value(), 4u);
  EXPECT_EQ(rig.metrics().lookahead.issued.Value(), 8u);
  EXPECT_EQ(rig.metrics().trace.Value(), 16u);
}

TEST_P(ArrivalsTest, OnlyFarPagesAreRead) {
  ArrivalsRig rig(Options());
  const PageState others[] = {kLocal,  kLocal | kUntouched, kFar | kFresh, kFetching, kLeaving,
                              kWriting};
  PageIndex page = 0;
  for (const PageState state : others) rig.table().state(page++).store(state);
  std::vector<PageIndex> wanted = PagesFrom(0, 7);
  wanted.push_back(6);                   // once more
  wanted.push_back(rig.table().used());  // does not exist
  wanted.push_back(UINT64_MAX);
  EXPECT_EQ(rig.arrivals().Post(wanted, Purpose::kHint), wanted.size());  // all dealt with
  EXPECT_THAT(rig.script().posted, SizeIs(1));
  EXPECT_EQ(rig.metrics().hint.issued.Value(), 1u);
  EXPECT_TRUE(rig.LandAll());
  EXPECT_TRUE(rig.Holds(6));
  page = 0;
  for (const PageState state : others) EXPECT_EQ(rig.StateOf(page++), state);
  EXPECT_EQ(rig.budget().taken(), 1u);
}

TEST_P(ArrivalsTest, ProtectedDeadPagesStayFar) {
  ArrivalsRig rig(Options());
  rig.table().hash(1).store(kDeadContent);
  EXPECT_EQ(rig.Post(0, 3), 3u);
  EXPECT_TRUE(rig.LandAll());
  EXPECT_THAT(rig.Local(), ElementsAre(0, 2));
  EXPECT_EQ(rig.StateOf(1), kFar);
  EXPECT_EQ(rig.budget().taken(), 2u);
  EXPECT_EQ(rig.FreeSlots(), Staging::kSlots);
}

TEST_P(ArrivalsTest, OnlyThoseWhoWaitTakeTheReserveOfFrames) {
  auto options = Options();
  options.free_frames = 10;
  options.reserve = 3;
  ArrivalsRig rig(options);
  EXPECT_EQ(rig.Post(0, 20, Purpose::kPrefetch), 7u);
  for (const Purpose purpose :
       {Purpose::kPrefetch, Purpose::kHint, Purpose::kLookAhead, Purpose::kTrace}) {
    EXPECT_EQ(rig.Post(7, 1, purpose), 0u);
  }
  EXPECT_EQ(rig.Post(7, 10, Purpose::kRange), 3u);
  EXPECT_EQ(rig.budget().free(), 0u);
  EXPECT_EQ(rig.Post(10, 1, Purpose::kRange), 0u);
  EXPECT_TRUE(rig.LandAll());
  EXPECT_EQ(rig.Local(), PagesFrom(0, 10));
}

TEST_P(ArrivalsTest, WhatIsInFlightIsBounded) {
  for (const auto& [frames, depth, bound] :
       {std::tuple{64, 64, 16}, {1, 64, 1}, {4096, 24, 24}, {4096, 4096, 256}}) {
    auto options = Options();
    options.frames = static_cast<size_t>(frames);
    options.script.depth = static_cast<size_t>(depth);
    ArrivalsRig rig(options);
    EXPECT_EQ(rig.Post(0, 400), static_cast<size_t>(bound));
    EXPECT_EQ(rig.Post(300, 1, Purpose::kRange), 0u);
    EXPECT_TRUE(rig.LandAll());
    EXPECT_THAT(rig.Local(), SizeIs(bound));
  }
}

TEST_P(ArrivalsTest, LandTakesNoMoreThanItIsTold) {
  ArrivalsRig rig(Options());
  rig.Post(0, 50);
  EXPECT_EQ(rig.arrivals().Land(4), 4u);
  EXPECT_EQ(rig.arrivals().Land(), Arrivals::kMaxLanding);
  EXPECT_EQ(rig.arrivals().Land(), 50 - 4 - Arrivals::kMaxLanding);
  EXPECT_EQ(rig.arrivals().Land(), 0u);
}

TEST_P(ArrivalsTest, NeighboursLandRightInWhateverOrderTheyCome) {
  for (const bool reversed : {false, true}) {
    auto options = Options();
    options.script.reversed = reversed;
    // Runs of all lengths, and pages in the middle of them that come later than their neighbours.
    options.script.damages = {{3, 1}, {21, 2}};
    ArrivalsRig rig(options);
    const std::vector<PageIndex> wanted = {0,  1,  2,  3,  4,  5,  9,  8,  7,  20, 21,
                                           22, 40, 42, 41, 43, 44, 45, 46, 60, 62, 61};
    EXPECT_EQ(rig.arrivals().Post(wanted, Purpose::kRange), wanted.size());
    EXPECT_TRUE(rig.LandAll());
    for (const PageIndex page : wanted) EXPECT_TRUE(rig.Holds(page)) << page;
    EXPECT_THAT(rig.Local(), SizeIs(wanted.size()));
    EXPECT_EQ(rig.FreeSlots(), Staging::kSlots);
  }
}

TEST_P(ArrivalsTest, PagesOfSeveralPurposesThatLandTogetherKeepTheirStates) {
  ArrivalsRig rig(Options());
  rig.script().held = true;
  for (PageIndex page = 0; page < 10; ++page) rig.Post(page, 1, kAllPurposes[page % kPurposes]);
  rig.script().held = false;
  EXPECT_EQ(rig.arrivals().Land(), 10u);
  for (PageIndex page = 0; page < 10; ++page) {
    EXPECT_TRUE(rig.Holds(page));
    EXPECT_EQ(rig.StateOf(page), rig.StateOf(page % kPurposes));
  }
  EXPECT_EQ(rig.StateOf(5), kLocal);
  EXPECT_EQ(rig.StateOf(9), kLocal | kUntouched | kCold);
}

TEST_P(ArrivalsTest, PagesReadAgainSoonAfterTheyLeftAreCounted) {
  ArrivalsRig rig(Options());
  rig.table().NoteDeparture(1);
  rig.table().NoteDeparture(3);
  EXPECT_EQ(rig.Post(0, 3), 3u);
  EXPECT_TRUE(rig.LandAll());
  EXPECT_EQ(rig.metrics().refetches.Value(), 1u);
  for (size_t i = 0; i < rig.budget().limit(); ++i) rig.table().NoteDeparture(9);
  EXPECT_EQ(rig.Post(3, 1), 1u);
  EXPECT_TRUE(rig.LandAll());
  EXPECT_EQ(rig.metrics().refetches.Value(), 1u);
}

TEST_P(ArrivalsTest, PagesReadAgainAreCountedByWhomTheyAreFor) {
  ArrivalsRig rig(Options());
  for (PageIndex page = 0; page < kPurposes; ++page) {
    rig.table().NoteDeparture(page);
    EXPECT_EQ(rig.Post(page, 1, kAllPurposes[page]), 1u);
  }
  EXPECT_TRUE(rig.LandAll());
  const PagerMetrics& metrics = rig.metrics();
  EXPECT_EQ(metrics.refetches.Value(), kPurposes);
  for (const base::Counter* each :
       {&metrics.refetches_mutator, &metrics.refetches_collector, &metrics.prefetch.refetches,
        &metrics.hint.refetches, &metrics.lookahead.refetches}) {
    EXPECT_EQ(each->Value(), 1u);
  }
}

TEST_P(ArrivalsTest, WhoGivesFramesIsToldWhenTheyWereTaken) {
  size_t told = 0;
  auto options = Options();
  options.free_frames = 10;
  options.took_frames = [&] { ++told; };
  ArrivalsRig rig(options);
  rig.Post(0, 3);
  EXPECT_EQ(told, 1u);
  rig.Post(0, 3);  // in flight already
  EXPECT_EQ(told, 1u);
  rig.Post(3, 20);
  EXPECT_EQ(told, 2u);
  rig.Post(10, 20);  // there are no more
  EXPECT_EQ(told, 2u);
}

// What happens to a thread that comes while another holds the lock.
TEST_P(ArrivalsTest, WhoFindsAnotherPostingGoesAwayWithNothing) {
  ArrivalsRig rig(Options());
  rig.Post(0, 1);
  size_t posted = 1, landed = 1;
  rig.script().during_post = [&] {
    posted = rig.Post(5, 1);
    landed = rig.arrivals().Land();
  };
  EXPECT_EQ(rig.Post(1, 1), 1u);
  EXPECT_EQ(posted, 0u);
  EXPECT_EQ(landed, 0u);
  EXPECT_EQ(rig.metrics().post_conflicts.Value(), 1u);
  rig.script().during_post = nullptr;
  EXPECT_TRUE(rig.LandAll());
  EXPECT_THAT(rig.Local(), ElementsAre(0, 1));
}

// --- ... that loses, damages, dies ---

TEST_P(ArrivalsTest, ADamagedPageIsReadAgain) {
  auto options = Options();
  options.script.damages = {{1, 8}};
  options.timeout_ns = kNever;
  ArrivalsRig rig(options);
  rig.Post(0, 3);
  EXPECT_TRUE(rig.LandAll());
  EXPECT_TRUE(rig.Holds(1));
  EXPECT_EQ(rig.metrics().damaged.Value(), 8u);
  EXPECT_THAT(rig.script().posted, SizeIs(3 + 8));
}

TEST_P(ArrivalsTest, APageThatStaysDamagedIsFarAgain) {
  auto options = Options();
  options.script.damages = {{1, 1000}};
  options.timeout_ns = kNever;
  ArrivalsRig rig(options);
  rig.Post(0, 3);
  EXPECT_TRUE(rig.LandAll());
  EXPECT_THAT(rig.Local(), ElementsAre(0, 2));
  EXPECT_EQ(rig.StateOf(1), kFar);
  EXPECT_THAT(rig.script().posted, SizeIs(3 + 8));
  EXPECT_EQ(rig.budget().taken(), 2u);
  EXPECT_EQ(rig.FreeSlots(), Staging::kSlots);
  rig.script().damages.clear();
  rig.Post(1, 1);
  EXPECT_TRUE(rig.LandAll());
  EXPECT_TRUE(rig.Holds(1));
}

TEST_P(ArrivalsTest, ALostReadIsPostedAgain) {
  auto options = Options();
  options.script.loses = {1, 2};
  ArrivalsRig rig(options);
  rig.Post(0, 4);
  EXPECT_TRUE(rig.LandAll());
  EXPECT_EQ(rig.Local(), PagesFrom(0, 4));
  for (PageIndex page = 0; page < 4; ++page) EXPECT_TRUE(rig.Holds(page));
  // More are overdue if this thread lost its processor.
  EXPECT_GE(rig.metrics().retries.Value(), 2u);
  EXPECT_THAT(rig.script().posted, SizeIs(4 + rig.metrics().retries.Value()));
}

TEST_P(ArrivalsTest, ALostReadIsPostedAgainEvenIfOthersKeepArriving) {
  auto options = Options();
  options.pages = 1 << 16;
  options.frames = 1 << 16;
  options.script.loses = {0};
  ArrivalsRig rig(options);
  rig.Post(0, 1);
  const uint64_t start = base::NowNs();
  PageIndex next = 1;
  for (; !rig.IsLocal(0) && next < options.pages; ++next) {
    rig.Post(next, 1);
    rig.arrivals().Land();
  }
  EXPECT_GT(base::NowNs() - start, kTimeoutNs);
  EXPECT_TRUE(rig.Holds(0));
  EXPECT_EQ(rig.metrics().retries.Value(), 1u);
}

TEST_P(ArrivalsTest, AReadThatCompletesWhileItIsGivenUpLandsOnce) {
  auto options = Options();
  options.script.loses = {0};
  options.script.complete_at_cancel = true;
  ArrivalsRig rig(options);
  rig.Post(0, 1);
  EXPECT_TRUE(rig.LandAll());
  EXPECT_TRUE(rig.Holds(0));
  EXPECT_EQ(rig.metrics().retries.Value(), 0u);
  EXPECT_THAT(rig.script().posted, SizeIs(1));
}

TEST_P(ArrivalsTest, ReadsThatWaitToBePolledAreNotOverdue) {
  ArrivalsRig rig(Options());
  rig.Post(0, 20);
  const uint64_t start = base::NowNs();
  while (base::NowNs() - start < 2 * kTimeoutNs) {
  }
  for (size_t i = 0; i < 5; ++i) EXPECT_EQ(rig.arrivals().Land(4), 4u);
  EXPECT_EQ(rig.metrics().retries.Value(), 0u);
}

TEST_P(ArrivalsTest, ASilentFarSideIsGivenUpAndAskedAgainByTheNext) {
  auto options = Options();
  options.script.loses_all = true;
  ArrivalsRig rig(options);
  rig.Post(0, 10);
  EXPECT_TRUE(rig.LandAll());
  EXPECT_THAT(rig.Local(), SizeIs(0));
  EXPECT_EQ(rig.StateOf(9), kFar);
  EXPECT_EQ(rig.budget().taken(), 0u);
  EXPECT_EQ(rig.FreeSlots(), Staging::kSlots);
  EXPECT_GE(rig.metrics().retries.Value(), 10 * Port::kMaxTimeouts);
  rig.script().loses_all = false;
  rig.Post(0, 10);
  EXPECT_TRUE(rig.LandAll());
  EXPECT_EQ(rig.Local(), PagesFrom(0, 10));
}

TEST_P(ArrivalsTest, WhatADeadFarSideHadIsFarAgain) {
  ArrivalsRig rig(Options());
  rig.Post(0, 4);
  rig.arrivals().Land();
  rig.Post(4, 20);
  rig.script().dead = true;
  EXPECT_TRUE(rig.LandAll());
  EXPECT_EQ(rig.Local(), PagesFrom(0, 4));
  for (PageIndex page = 4; page < 24; ++page) EXPECT_EQ(rig.StateOf(page), kFar);
  EXPECT_EQ(rig.budget().taken(), 4u);
  EXPECT_EQ(rig.FreeSlots(), Staging::kSlots);
  EXPECT_EQ(rig.Post(4, 20), 20u);  // nobody is told yet; whoever waits will be
  EXPECT_TRUE(rig.LandAll());
  EXPECT_EQ(rig.budget().taken(), 4u);
}

TEST_P(ArrivalsTest, ReadsInFlightMayBeAbandoned) {
  auto options = Options();
  options.script.held = true;
  ArrivalsRig rig(options);
  EXPECT_EQ(rig.Post(0, 30), 30u);
}

TANDEM_ON_BOTH_ROADS(ArrivalsTest);

// --- With mutators and the evictor around them ---

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
