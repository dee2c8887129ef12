// What the pager does when the far side is lost or returns what was never stored there.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <csetjmp>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "tests/swap/pager_rig.h"

namespace tandem::swap {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

// Leaves an access that lost its page by a jump, as a host that wants to live on does.
class Accessor {
 public:
  static void Jump(const void* address, const char* reason) {
    t_address = address;
    t_reason = reason;
    siglongjmp(t_way_out, 1);
  }

  // True if `access` ended by itself, false if the page was lost. Not inlined, so that the jump
  // ends in a frame whose variables nobody has changed since.
  template <typename Access>
  [[gnu::noinline]] static bool Try(Access&& access) {
    t_reason = "";
    if (sigsetjmp(t_way_out, 1) != 0) return false;
    access();
    return true;
  }
  static const void* address() { return t_address; }
  static const char* reason() { return t_reason; }

 private:
  static thread_local sigjmp_buf t_way_out;
  static thread_local const void* t_address;
  static thread_local const char* t_reason;
};
thread_local sigjmp_buf Accessor::t_way_out;
thread_local const void* Accessor::t_address;
thread_local const char* Accessor::t_reason;

// Whether the reason is about that page, or about none in particular.
bool IsNamed(const std::string& reason, PageIndex page) {
  return reason.starts_with("page " + std::to_string(page) + " (0x") ||
         reason.starts_with("no page can be written back");
}

class LostPageTest : public RoadTest {
 protected:
  RigOptions Options(const char* fabric) const {
    return {.fabric = fabric, .use_move = UseMove(), .on_lost = Accessor::Jump};
  }
  // Fills pages until the far side is gone; returns how many were filled.
  static PageIndex FillUntilLost(PagerRig& rig) {
    for (PageIndex page = 0; page < rig.pages(); ++page) {
      if (!Accessor::Try([&] { rig.Fill(page, 1); })) return page;
    }
    return rig.pages();
  }
};

TEST_P(LostPageTest, ADamagedPageIsReadAgain) {
  PagerRig rig(Options("emulated:none,damage=0.05"));
  rig.FillRange(0, 200, 1);
  for (PageIndex page = 0; page < 200; ++page) EXPECT_TRUE(rig.Holds(page, 1));
  EXPECT_GT(rig.metrics().damaged.Value(), 0u);
}

TEST_P(LostPageTest, APageThatStaysDamagedIsLostAndNothingElse) {
  PagerRig rig(Options("emulated:none,damage=1"));
  rig.FillRange(0, 4, 1);
  rig.Evict(0, 2);
  const size_t taken = rig.pager().budget().taken();
  EXPECT_FALSE(Accessor::Try([&] { (void)rig.Words(1)[0]; }));
  EXPECT_EQ(Accessor::address(), rig.Address(1));
  EXPECT_THAT(Accessor::reason(), HasSubstr("damaged"));
  EXPECT_THAT(Accessor::reason(), StartsWith("page 1 (0x"));
  EXPECT_THAT(Accessor::reason(), EndsWith("at memory server emulated:none,damage=1"));
  EXPECT_TRUE(rig.IsFar(1));
  EXPECT_LE(rig.pager().budget().taken(), taken);  // its frame was given back
  EXPECT_FALSE(Accessor::Try([&] { rig.pager().MakeLocal(0, rig.port(), Cause::kMutator); }));
  EXPECT_EQ(Accessor::address(), rig.Address(0));
  EXPECT_TRUE(rig.HoldsZeroes(100));  // fresh pages need no far side
}

TEST_P(LostPageTest, EncryptedPagesComeBackAndDamagedOnesAreReadAgainOrLost) {
  {
    PagerRig rig(Options("sealed:emulated:none,damage=0.05"));
    rig.FillRange(0, 200, 1);
    for (PageIndex page = 0; page < 200; ++page) EXPECT_TRUE(rig.Holds(page, 1));
    EXPECT_GT(rig.metrics().damaged.Value(), 0u);
  }
  PagerRig rig(Options("sealed:emulated:none,damage=1"));
  rig.Fill(0, 1);
  rig.Evict(0);
  EXPECT_FALSE(Accessor::Try([&] { (void)rig.Words(0)[0]; }));
  EXPECT_THAT(Accessor::reason(), HasSubstr("damaged"));
  EXPECT_THAT(Accessor::reason(), HasSubstr("memory server emulated:none,damage=1"));
}

TEST_P(LostPageTest, ALostPageCanBeDeclaredDeadAndUsedAgain) {
  PagerRig rig(Options("emulated:none,damage=1"));
  rig.Fill(0, 1);
  rig.Evict(0);
  ASSERT_FALSE(Accessor::Try([&] { (void)rig.Words(0)[0]; }));
  rig.pager().MarkDead(0, 1);
  EXPECT_TRUE(rig.HoldsZeroes(0));
}

TEST_P(LostPageTest, EachThreadThatNeedsALostPageIsTold) {
  PagerRig rig(Options("emulated:none,die_after=150"));
  const PageIndex filled = FillUntilLost(rig);
  ASSERT_GT(filled, 0u);
  std::vector<std::thread> threads;
  std::atomic<int> told{0};
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&, t] {
      BoundPort port(rig.pager());
      bool lost = false;
      for (PageIndex page = 0; page < filled; ++page) {
        const bool got = Accessor::Try([&] {
          if (t == 0) rig.pager().MakeLocal(page, *port, Cause::kMutator);
          ASSERT_TRUE(rig.Holds(page, 1)) << page;
        });
        if (!got) {
          EXPECT_TRUE(IsNamed(Accessor::reason(), page)) << Accessor::reason();
        }
        lost = lost || !got;
      }
      if (lost) ++told;
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(told.load(), 3);
}

TEST_P(LostPageTest, AThreadThatNeedsAFrameIsToldWhenNoPageCanBeWritten) {
  PagerRig rig(Options("emulated:none,die_after=1"));
  EXPECT_LT(FillUntilLost(rig), rig.pages());
  EXPECT_THAT(Accessor::reason(), HasSubstr("memory server emulated:none,die_after=1 is lost"));
  EXPECT_FALSE(Accessor::Try([&] { rig.Fill(rig.pages() - 1, 1); }));
}

TEST_P(LostPageTest, PagesWhoseWriteWasLostCanBeHadAsLongAsThereAreFrames) {
  PagerRig rig(Options("emulated:none,die_after=1"));
  const PageIndex filled = FillUntilLost(rig);
  size_t intact = 0;
  for (PageIndex page = 0; page < filled; ++page) {
    if (Accessor::Try([&] { EXPECT_TRUE(rig.Holds(page, 1)) << page; })) ++intact;
  }
  EXPECT_GE(intact, 1u);
}

TEST_P(LostPageTest, AnUnboundThreadThatJumpsOutLeavesTheSparePortToOthers) {
  PagerRig rig(Options("emulated:none,damage=1"));
  rig.FillRange(0, 2, 1);
  rig.Evict(0, 2);
  for (int t = 0; t < 2; ++t) {
    std::thread([&] {
      EXPECT_FALSE(Accessor::Try([&] { (void)rig.Words(0)[0]; }));
      EXPECT_TRUE(rig.HoldsZeroes(100));
    }).join();
  }
}

TEST_P(LostPageTest, ASilentFarSideIsTakenForLost) {
  PagerRig rig(Options("emulated:none,loss=1,timeout_ms=1"));
  // Writes that nobody answers must not be waited for for ever, even when no read is.
  size_t lost = 0;
  for (size_t round = 0; round < 4 && lost == 0; ++round) {
    if (FillUntilLost(rig) < rig.pages()) ++lost;
  }
  EXPECT_EQ(lost, 1u);
}

using LostPageDeathTest = LostPageTest;

TEST_P(LostPageDeathTest, TheProcessEndsWithTheReasonIfNobodyHandlesALostPage) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        PagerRig rig({.fabric = "emulated:none,damage=1", .use_move = UseMove()});
        rig.Fill(0, 1);
        rig.Evict(0);
        (void)rig.Words(0)[0];
      },
      "stayed so when read again");
  EXPECT_DEATH(
      {
        PagerRig rig({.fabric = "emulated:none,die_after=100", .use_move = UseMove()});
        rig.FillRange(0, rig.pages(), 1);
        for (PageIndex page = 0; page < rig.pages(); ++page) (void)rig.Holds(page, 1);
      },
      "the memory server .*is lost");
}

TEST_P(LostPageDeathTest, TheProcessEndsIfTheHandlerReturns) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        PagerRig rig(
            {.fabric = "emulated:none,damage=1",
             .use_move = UseMove(),
             .on_lost = [](const void*, const char*) { (void)!write(2, "handled; ", 9); }});
        rig.Fill(0, 1);
        rig.Evict(0);
        (void)rig.Words(0)[0];
      },
      "handled; .*damaged");
}

TANDEM_ON_BOTH_ROADS(LostPageTest);
TANDEM_ON_BOTH_ROADS(LostPageDeathTest);

}  // namespace
}  // namespace tandem::swap
