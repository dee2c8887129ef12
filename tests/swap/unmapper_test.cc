#include "runtime/swap/unmapper.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <memory>
#include <stop_token>
#include <thread>
#include <vector>

#include "tests/swap/parts.h"

namespace tandem::swap {
namespace {

class UnmapperTest : public PartsTest {
 protected:
  void SetUp() override {
    PartsTest::SetUp();
    if (IsSkipped()) return;
    unmapper_ = std::make_unique<Unmapper>(*table_, *staging_, *uffd_, *roads_);
    for (PageIndex page = 0; page < kPages; ++page) Map(page);
  }

  static int ByteOf(PageIndex page) { return static_cast<int>(1 + page % 251); }
  void Map(PageIndex page) {
    std::vector<unsigned char> content(base::kPageSize, static_cast<unsigned char>(ByteOf(page)));
    uffd_->Copy(table_->AddressOf(page), content.data(), base::kPageSize);
  }
  bool IsMapped(PageIndex page) {
    unsigned char resident = 0;
    EXPECT_EQ(mincore(Bytes(page), base::kPageSize, &resident), 0);
    return (resident & 1) != 0;
  }
  // Takes the pages out, checks what lies in the slots, and gives those back.
  void TakeOut(const std::vector<PageIndex>& pages) {
    uint32_t slots[Unmapper::kMaxPages];
    unmapper_->TakeOut(pages, slots);
    for (size_t i = 0; i < pages.size(); ++i) {
      EXPECT_TRUE(AllAre(staging_->Data(slots[i]), ByteOf(pages[i]))) << pages[i];
      EXPECT_FALSE(IsMapped(pages[i])) << pages[i];
      staging_->PutReady({slots[i], 1});
    }
  }

  std::unique_ptr<Unmapper> unmapper_;
};

TEST_P(UnmapperTest, TakesOutWhatIsAskedForAndNothingElse) {
  for (PageIndex first = 0; first < 240; first += 60) {
    if (UseMove()) Prefer(first % 120 == 0, *roads_);
    std::vector<PageIndex> pages;
    for (PageIndex page = first; page < first + 60; page += 1 + page % 4) pages.push_back(page);
    TakeOut(pages);
    size_t next = 0;
    for (PageIndex page = first; page < first + 60; ++page) {
      if (next < pages.size() && pages[next] == page) {
        ++next;
        continue;
      }
      EXPECT_FALSE(unmapper_->InSpan(page));
      ASSERT_TRUE(AllAre(Bytes(page), ByteOf(page))) << page;
      std::memset(Bytes(page), ByteOf(page), base::kPageSize);  // may be written again
    }
    // Those that stayed leave now, whichever way.
    std::vector<PageIndex> others;
    for (PageIndex page = first; page < first + 60; ++page) {
      if (IsMapped(page)) others.push_back(page);
    }
    TakeOut(others);
  }
}

TEST_P(UnmapperTest, TakesOutPagesInAnyOrderNearOrFar) {
  for (int round = 0; round < 2; ++round) {
    if (UseMove()) Prefer(round == 0, *roads_);
    TakeOut({511, 3, 2, 400, 401, 402, 450, 0, 100, 1});
    for (const PageIndex page : {511, 3, 2, 400, 401, 402, 450, 0, 100, 1}) Map(page);
  }
}

TEST_P(UnmapperTest, TakesOutNeighboursInOneRunTwoOrMore) {
  for (const std::vector<PageIndex>& pages : std::vector<std::vector<PageIndex>>{
           {10, 11, 12}, {10, 11, 12, 400, 401}, {10, 11, 12, 400}, {10, 11, 40, 41, 400, 401}}) {
    if (UseMove()) Prefer(false, *roads_);
    TakeOut(pages);
    for (const PageIndex page : pages) Map(page);
  }
}

TEST_P(UnmapperTest, TakesOutPagesThatAreFarApart) {
  constexpr PageIndex kFar = Unmapper::kMaxDistance;
  for (int round = 0; round < 2; ++round) {
    if (UseMove()) Prefer(round == 0, *roads_);
    TakeOut({0, kFar, 2 * kFar + 1, 400});
    for (const PageIndex page : {PageIndex{0}, kFar, 2 * kFar + 1, PageIndex{400}}) Map(page);
  }
}

TEST_P(UnmapperTest, TakesOutFullBatches) {
  for (int round = 0; round < 100; ++round) {
    std::vector<PageIndex> pages;
    for (size_t i = 0; i < Unmapper::kMaxPages; ++i) pages.push_back(round + i * 6);
    TakeOut(pages);
    for (const PageIndex page : pages) Map(page);
  }
}

TEST_P(UnmapperTest, TakesOutAllWhateverIsPinnedInBetween) {
  for (const PageIndex pinned : {11, 13, 16, 17}) {
    table_->pins(pinned) = 1;
    for (int round = 0; round < 2; ++round) {
      if (UseMove()) Prefer(round == 0, *roads_);
      TakeOut({10, 12, 14, 15, 18});
      EXPECT_TRUE(AllAre(Bytes(pinned), ByteOf(pinned)));
      for (const PageIndex page : {10, 12, 14, 15, 18}) Map(page);
    }
    table_->pins(pinned) = 0;
  }
}

// --- With threads that store meanwhile ---

class UnmappingTest : public RoadTest {
 protected:
  RigOptions Options() const { return {.pages = 256, .local_pages = 128, .use_move = UseMove()}; }
};

TEST_P(UnmappingTest, StoresToPagesBetweenThoseThatLeaveAreNotLost) {
  PagerRig rig(Options());
  constexpr PageIndex kOwn = 40;
  std::jthread presser([&](const std::stop_token& stop) {
    BoundPort port(rig.pager());
    // Pages between the writer's, and others.
    for (PageIndex page = 0; !stop.stop_requested(); page = (page + 1) % rig.pages()) {
      if (page >= 2 * kOwn || page % 2 == 1) rig.pager().MakeLocal(page, *port, Cause::kMutator);
    }
  });
  uint64_t rounds = 0;
  for (; rig.metrics().evicted.Value() < 20'000; ++rounds) {
    for (PageIndex page = 0; page < kOwn; ++page) {
      volatile uint64_t* const counter = rig.Words(2 * page) + page;
      *counter = *counter + 1;
    }
  }
  presser = {};
  for (PageIndex page = 0; page < kOwn; ++page) {
    ASSERT_EQ(rig.Words(2 * page)[page], rounds) << page;
  }
}

TEST_P(UnmappingTest, TheKernelMayWriteToPinnedPagesWhileOthersLeave) {
  PagerRig rig(Options());
  const int zeroes = open("/dev/zero", O_RDONLY | O_CLOEXEC);
  ASSERT_GE(zeroes, 0);
  std::jthread presser([&](const std::stop_token& stop) {
    BoundPort port(rig.pager());
    for (PageIndex page = 0; !stop.stop_requested(); page = (page + 1) % rig.pages()) {
      rig.pager().MakeLocal(page, *port, Cause::kMutator);
    }
  });
  for (PageIndex i = 0; rig.metrics().evicted.Value() < 20'000; ++i) {
    const PageIndex page = i * 7 % rig.pages();
    rig.pager().Pin(page, 1, rig.port());
    for (int k = 0; k < 20; ++k) {
      ASSERT_EQ(read(zeroes, rig.Address(page), base::kPageSize), ssize_t{base::kPageSize}) << i;
    }
    rig.pager().Unpin(page, 1);
  }
  close(zeroes);
}

TEST_P(UnmappingTest, AThreadThatBlocksAllSignalsMayStore) {
  PagerRig rig(Options());
  std::jthread blocker([&] {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, nullptr);
    BoundPort port(rig.pager());
    rig.FillRange(0, rig.pages(), 3);
  });
  blocker.join();
  for (PageIndex page = 0; page < rig.pages(); ++page) ASSERT_TRUE(rig.Holds(page, 3)) << page;
}

TANDEM_ON_BOTH_ROADS(UnmapperTest);
TANDEM_ON_BOTH_ROADS(UnmappingTest);

}  // namespace
}  // namespace tandem::swap
