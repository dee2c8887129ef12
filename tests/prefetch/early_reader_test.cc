#include "runtime/prefetch/early_reader.h"

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "tests/swap/pager_rig.h"

namespace tandem::prefetch {
namespace {

using swap::BoundPort;
using swap::Cause;
using swap::PageIndex;
using swap::PagerRig;
using swap::Road;
using swap::RoadName;
using tandem::testing::Random;
using tandem::testing::Rounds;
using tandem::testing::TestSeed;

struct ReaderOptions {
  const char* fabric = "emulated:none";
  size_t pages = 3 * 1024;
  size_t local_pages = 1024;
};

// A pager whose pages all hold something and are far, and threads that have prefetchers.
class EarlyReaderTest : public swap::RoadTest {
 protected:
  static constexpr size_t kMaxUnused = 32;
  static constexpr PageIndex kPages = ReaderOptions().pages;

  void Start(ReaderOptions options = {}) {
    throttle_.emplace(kMaxUnused);
    rig_.emplace(swap::RigOptions{.fabric = options.fabric,
                                  .pages = options.pages,
                                  .local_pages = options.local_pages,
                                  .use_move = UseMove(),
                                  .prefetched = &*throttle_});
    rig_->FillRange(0, options.pages, 1);
    rig_->Evict(0, options.pages);
    rig_->pager().UnbindThread();
  }
  std::unique_ptr<swap::AccessObserver> Reader(const char* prefetcher) {
    return std::make_unique<EarlyReader>(std::move(MakePrefetcher(prefetcher).value()), *throttle_,
                                         rig_->pager());
  }
  void Access(PageIndex page, BoundPort& port) {
    rig_->pager().MakeLocal(page, *port, Cause::kMutator);
    ASSERT_EQ(rig_->Words(page)[7], PagerRig::Pattern(page, 1, 7));
  }
  // The same, but first room is made: how much there is does not depend on how busy the machine is.
  void AccessAtEase(PageIndex page, BoundPort& port) {
    rig_->LeaveFree(swap::Evictor::LowWatermark(rig_->pager().budget()));
    Access(page, port);
  }
  uint64_t Misses() { return rig_->metrics().demand_mutator.Value(); }
  swap::EarlyMetrics& early() { return rig_->metrics().prefetch; }

  // All threads are done, and once the evictor is as well, whatever was issued is somewhere.
  void ExpectThatCountsAddUp() {
    const auto still = [&] {
      return rig_->UnusedPages(early()) + rig_->pager().arrivals().in_flight();
    };
    const auto gone = [&] {
      return early().hits.Value() + early().unused.Value() + early().dropped.Value();
    };
    EXPECT_TRUE(swap::Eventually([&] {
      return early().issued.Value() == gone() + still() && throttle_->unused() == still();
    })) << early().issued.Value()
        << " issued, " << gone() << " gone, " << still() << " here, " << throttle_->unused()
        << " for the throttle";
    EXPECT_LE(still(), kMaxUnused);
    EXPECT_LE(rig_->pager().budget().peak(), rig_->pager().budget().limit());
    rig_->LandAll();
    EXPECT_TRUE(
        swap::Eventually([&] { return rig_->ResidentPages() == rig_->pager().budget().taken(); }));
  }

  std::optional<Throttle> throttle_;
  std::optional<PagerRig> rig_;
};

TEST_P(EarlyReaderTest, AScanWithReadaheadMissesFewPages) {
  Start();
  BoundPort port(rig_->pager(), Reader("readahead"));
  for (PageIndex page = 0; page < kPages; ++page) AccessAtEase(page, port);
  EXPECT_LT(Misses(), kPages / 4);  // an eighth if all goes well
  EXPECT_GT(early().hits.Value(), early().issued.Value() * 9 / 10);
  ExpectThatCountsAddUp();
}

TEST_P(EarlyReaderTest, AScanBackwardsWithReadaheadMissesFewPages) {
  Start();
  BoundPort port(rig_->pager(), Reader("readahead"));
  for (PageIndex page = kPages; page-- > 0;) AccessAtEase(page, port);
  EXPECT_LT(Misses(), kPages / 4);
  ExpectThatCountsAddUp();
}

TEST_P(EarlyReaderTest, StridesAreFollowed) {
  for (const char* prefetcher : {"leap", "stride"}) {
    Start();
    BoundPort port(rig_->pager(), Reader(prefetcher));
    for (PageIndex page = 0; page < kPages; page += 3) AccessAtEase(page, port);
    EXPECT_LT(Misses(), kPages / 3 / 4) << prefetcher;
    EXPECT_GT(early().hits.Value(), early().issued.Value() * 9 / 10) << prefetcher;
    ExpectThatCountsAddUp();
  }
}

TEST_P(EarlyReaderTest, AScanByFaultsPrefetchesAsWell) {
  Start();
  BoundPort port(rig_->pager(), Reader("readahead-16"));
  const uint64_t traps = rig_->metrics().traps.Value();
  for (PageIndex page = 0; page < kPages; ++page) ASSERT_TRUE(rig_->Holds(page, 1)) << page;
  EXPECT_GT(early().issued.Value(), 32u);
  EXPECT_LT(rig_->metrics().traps.Value() - traps, kPages - 16);
  ExpectThatCountsAddUp();
}

TEST_P(EarlyReaderTest, RandomAccessesAreThrottled) {
  Start({.pages = 4096, .local_pages = 128});
  BoundPort port(rig_->pager(), Reader("readahead-16"));
  Random random(TestSeed());
  for (size_t i = 0; i < 4000; ++i) {
    Access(random.Below(4096), port);
    ASSERT_LE(throttle_->unused(), kMaxUnused);
  }
  EXPECT_GT(Misses(), 3000u);
  EXPECT_LT(early().issued.Value(), 2 * Misses());  // of fifteen that it names for each
  EXPECT_GT(early().issued.Value(), kMaxUnused);    // some go all the same
  ExpectThatCountsAddUp();
}

TEST_P(EarlyReaderTest, NothingIsAskedForBeyondTheHeapsEnds) {
  Start({.pages = 64, .local_pages = 64});
  rig_->Evict(0, 64);  // by way of the spare port
  BoundPort port(rig_->pager(), Reader("readahead-16"));
  Access(63, port);  // what follows is fresh
  Access(0, port);
  EXPECT_LE(early().issued.Value(), 30u);
  ExpectThatCountsAddUp();
}

TEST_P(EarlyReaderTest, TwoThreadsHaveStreamsOfTheirOwn) {
  Start();
  std::vector<std::thread> threads;
  for (PageIndex t = 0; t < 2; ++t) {
    threads.emplace_back([&, t] {
      BoundPort port(rig_->pager(), Reader("stride"));
      // One up, the other down: to one instance the distances would be noise.
      for (PageIndex i = 0; i < kPages / 2; ++i) AccessAtEase(t == 0 ? i : kPages - 1 - i, port);
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_LT(Misses(), kPages * 3 / 4);
  EXPECT_GT(early().hits.Value(), kPages / 4);
  ExpectThatCountsAddUp();
}

TEST_P(EarlyReaderTest, CountsAddUpWhateverHappens) {
  constexpr size_t kFew = 1024;
  Start({.fabric = "emulated:rdma40,loss=0.02,timeout_ms=2,damage=0.1,delay=0.05,delay_ns=200000",
         .pages = kFew,
         .local_pages = 256});
  const char* const prefetchers[] = {"readahead", "readahead-16", "leap", "stride", "streams"};
  const uint64_t seed = TestSeed();
  std::vector<std::thread> threads;
  for (size_t t = 0; t < std::size(prefetchers); ++t) {
    threads.emplace_back([&, t] {
      BoundPort port(rig_->pager(), Reader(prefetchers[t]));
      Random random(seed + t);
      PageIndex page = 0;
      for (size_t i = 0; i < Rounds(3000); ++i) {
        page = random.OneIn(20) ? random.Below(kFew) : (page + t + 1) % kFew;
        if (random.OneIn(3)) {
          ASSERT_EQ(rig_->Words(page)[9], PagerRig::Pattern(page, 1, 9));  // perhaps by a fault
        } else {
          Access(page, port);
        }
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_GT(early().hits.Value(), 0u);
  ExpectThatCountsAddUp();
  rig_->LandAll();
  ExpectThatCountsAddUp();
}

TANDEM_ON_BOTH_ROADS(EarlyReaderTest);

}  // namespace
}  // namespace tandem::prefetch
