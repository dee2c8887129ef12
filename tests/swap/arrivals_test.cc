#include "runtime/swap/arrivals.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <deque>
#include <functional>
#include <map>
#include <set>
#include <span>
#include <tuple>
#include <vector>

#include "runtime/swap/page_hash.h"
#include "runtime/swap/port.h"
#include "tests/swap/pager_rig.h"

namespace tandem::swap {
namespace {

using ::testing::ElementsAre;
using ::testing::SizeIs;

// Arrivals on their own, over a channel that does as it is told. With mutators and the evictor
// around them: pager_arrivals_test.cc.

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
    roads_ = std::make_unique<RoadChoice>(options.move);
    mapper_ = std::make_unique<Mapper>(*uffd_, *staging_, *roads_, metrics_.moved, metrics_.copied);
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
  std::unique_ptr<RoadChoice> roads_;
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

TEST_P(ArrivalsTest, WhatTheChannelDoesNotTakeIsFarAgain) {
  ArrivalsRig rig(Options());
  const size_t free_frames = rig.budget().free();
  rig.script().depth = 21;  // less than it has said
  EXPECT_EQ(rig.Post(0, 40), 21u);
  EXPECT_EQ(rig.arrivals().in_flight(), 21u);
  EXPECT_EQ(rig.budget().free(), free_frames - 21);
  EXPECT_EQ(rig.Post(21, 10), 0u);
  for (PageIndex page = 21; page < 40; ++page) EXPECT_EQ(rig.StateOf(page), kFar) << page;
  EXPECT_TRUE(rig.LandAll());
  EXPECT_EQ(rig.Local(), PagesFrom(0, 21));
  EXPECT_EQ(rig.FreeSlots(), Staging::kSlots);
  EXPECT_EQ(rig.Post(21, 19), 19u);
  EXPECT_TRUE(rig.LandAll());
  for (PageIndex page = 0; page < 40; ++page) EXPECT_TRUE(rig.Holds(page)) << page;
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

}  // namespace
}  // namespace tandem::swap
