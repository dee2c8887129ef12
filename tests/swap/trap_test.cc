#include "runtime/swap/trap.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <csetjmp>
#include <csignal>
#include <memory>
#include <thread>
#include <vector>

#include "tests/swap/pager_rig.h"

namespace tandem::swap {
namespace {

class TrapTest : public RoadTest {
 protected:
  void SetUp() override {
    RoadTest::SetUp();
    GTEST_FLAG_SET(death_test_style, "threadsafe");
  }
  RigOptions Options() const { return {.use_move = UseMove()}; }
};

TEST_P(TrapTest, AnAccessWithoutABarrierBringsThePageIn) {
  PagerRig rig(Options());
  rig.Fill(0, 1);
  rig.Evict(0);
  const uint64_t traps = rig.metrics().traps.Value();
  EXPECT_TRUE(rig.Holds(0, 1));
  EXPECT_EQ(rig.metrics().traps.Value(), traps + 1);
  EXPECT_EQ(rig.StateOf(0), kLocal);
}

TEST_P(TrapTest, AnAccessOfTheCollectorIsNotTakenForOneOfAMutator) {
  PagerRig rig(Options());
  rig.Fill(0, 1);
  rig.Evict(0);
  rig.pager().UnbindThread();
  rig.pager().BindThread(rig.port(), Cause::kCollector);
  const uint64_t by_mutators = rig.metrics().demand_mutator.Value();
  EXPECT_TRUE(rig.Holds(0, 1));
  EXPECT_EQ(rig.metrics().demand_collector.Value(), 1u);
  EXPECT_EQ(rig.metrics().demand_mutator.Value(), by_mutators);
  EXPECT_EQ(rig.StateOf(0), kLocal | kUntouched | kCold);
}

TEST_P(TrapTest, TheFaultHandlerKeepsErrno) {
  PagerRig rig(Options());
  rig.Fill(0, 1);
  rig.Evict(0);
  errno = 12345;
  (void)rig.Words(0)[0];
  EXPECT_EQ(errno, 12345);
}

TEST_P(TrapTest, ThreadsThatAreNotBoundAreServed) {
  PagerRig rig(Options());
  rig.FillRange(0, rig.pages(), 1);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      EXPECT_EQ(Pager::FindBinding(reinterpret_cast<uintptr_t>(rig.Address(0))), nullptr);
      for (PageIndex page = 0; page < rig.pages(); page += 7) ASSERT_TRUE(rig.Holds(page, 1));
    });
  }
  for (auto& thread : threads) thread.join();
}

TEST_P(TrapTest, AThreadKeepsABindingForEachPager) {
  std::vector<std::unique_ptr<PagerRig>> rigs;
  for (int i = 0; i < 10; ++i) {  // more than a thread has bindings for: the spare ports help
    rigs.push_back(std::make_unique<PagerRig>(Options()));
  }
  for (uint64_t i = 0; i < rigs.size(); ++i) rigs[i]->FillRange(0, 100, i);
  for (uint64_t i = 0; i < rigs.size(); ++i) {
    for (PageIndex page = 0; page < 100; ++page) ASSERT_TRUE(rigs[i]->Holds(page, i));
  }
  const Pager::Binding* const binding =
      Pager::FindBinding(reinterpret_cast<uintptr_t>(rigs[1]->Address(3)));
  ASSERT_NE(binding, nullptr);
  EXPECT_EQ(binding->pager, &rigs[1]->pager());
  EXPECT_EQ(binding->port, &rigs[1]->port());
}

TEST_P(TrapTest, TwoPagersServeFaultsOfTheSameThreads) {
  PagerRig first(Options());
  PagerRig second({.fabric = "emulated:rdma40", .use_move = !UseMove()});
  std::vector<std::thread> threads;
  for (uint64_t t = 0; t < 3; ++t) {
    threads.emplace_back([&, t] {
      BoundPort first_port(first.pager());
      BoundPort second_port(second.pager());
      for (PageIndex page = t; page < 300; page += 3) {
        first.Fill(page, t);
        second.Fill(page, t + 10);
      }
      for (PageIndex page = t; page < 300; page += 3) {
        ASSERT_TRUE(first.Holds(page, t));
        ASSERT_TRUE(second.Holds(page, t + 10));
      }
    });
  }
  for (auto& thread : threads) thread.join();
}

TEST_P(TrapTest, APagerThatIsGoneLeavesTheOthersAlone) {
  PagerRig kept(Options());
  for (int i = 0; i < 5; ++i) {
    PagerRig gone(Options());
    gone.FillRange(0, 100, 1);
    kept.FillRange(0, 100, 2);
  }
  for (PageIndex page = 0; page < 100; ++page) EXPECT_TRUE(kept.Holds(page, 2));
}

TEST_P(TrapTest, OnlySoManyPagersFitInAProcess) {
  const auto fabric = std::move(rdma::Fabric::Open("emulated:none").value());
  base::Registry registry;
  PagerOptions options;
  options.heap_bytes = 1 << 20;
  options.local_pages = 64;
  options.use_move = UseMove();
  std::vector<std::unique_ptr<Pager>> pagers;
  for (int i = 0; i < TrapRegistry::kMaxPagers; ++i) {
    auto pager = Pager::Create(options, *fabric, registry);
    ASSERT_TRUE(pager.ok()) << pager.status().message();
    pagers.push_back(std::move(*pager));
  }
  EXPECT_EQ(Pager::Create(options, *fabric, registry).status().code(),
            StatusCode::kResourceExhausted);
  pagers.pop_back();
  EXPECT_TRUE(Pager::Create(options, *fabric, registry).ok());
}

// --- Faults that are not ours ---

// Memory whose access raises SIGBUS for another reason: behind the end of a file.
volatile char* BehindTheEndOfAFile() {
  const int fd = memfd_create("empty", MFD_CLOEXEC);
  void* const p = mmap(nullptr, base::kPageSize, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  close(fd);
  return static_cast<volatile char*>(p);
}

// Itself volatile: the handler reads it while the store before the fault might be put off.
volatile const void* volatile g_expected_address = nullptr;
struct sigaction g_older;
sigjmp_buf g_jump;

void ExitIfToldTheAddress(int, siginfo_t* info, void*) {
  _exit(info->si_addr == g_expected_address ? 42 : 43);
}
void ExitPlainly(int) { _exit(44); }
void ChainToTheOlder(int signal, siginfo_t* info, void* context) {
  static int calls = 0;
  if (++calls > 10) _exit(46);  // round and round
  if ((g_older.sa_flags & SA_SIGINFO) != 0) g_older.sa_sigaction(signal, info, context);
  _exit(45);
}

void Install(void (*handler)(int, siginfo_t*, void*)) {
  struct sigaction action {};
  action.sa_sigaction = handler;
  action.sa_flags = SA_SIGINFO;
  sigaction(SIGBUS, &action, &g_older);
}

using TrapDeathTest = TrapTest;

TEST_P(TrapDeathTest, AFaultOutsideOfHeapsGoesToThePreviousHandler) {
  EXPECT_EXIT(
      {
        Install(ExitIfToldTheAddress);
        PagerRig rig(Options());
        rig.FillRange(0, 200, 1);
        volatile char* const elsewhere = BehindTheEndOfAFile();
        g_expected_address = elsewhere;
        (void)*elsewhere;
      },
      ::testing::ExitedWithCode(42), "");
  EXPECT_EXIT(
      {
        std::signal(SIGBUS, ExitPlainly);
        PagerRig rig(Options());
        (void)*BehindTheEndOfAFile();
      },
      ::testing::ExitedWithCode(44), "");
}

TEST_P(TrapDeathTest, AFaultOutsideOfHeapsEndsTheProcessIfNobodyHandlesIt) {
  EXPECT_EXIT(
      {
        std::signal(SIGBUS, SIG_DFL);
        PagerRig rig(Options());
        (void)*BehindTheEndOfAFile();
      },
      ::testing::KilledBySignal(SIGBUS), "");
}

TEST_P(TrapDeathTest, APreviousHandlerMayJumpOutAgainAndAgain) {
  EXPECT_EXIT(
      {
        Install([](int, siginfo_t*, void*) { siglongjmp(g_jump, 1); });
        PagerRig rig(Options());
        volatile int jumps = 0;
        while (jumps < 3) {
          if (sigsetjmp(g_jump, 1) == 0) (void)*BehindTheEndOfAFile();
          jumps = jumps + 1;
        }
        _exit(46);
      },
      ::testing::ExitedWithCode(46), "");
}

TEST_P(TrapDeathTest, AFaultBehindTheUsedPartOfTheHeapIsNotOurs) {
  EXPECT_EXIT(
      {
        Install(ExitIfToldTheAddress);
        const auto fabric = std::move(rdma::Fabric::Open("emulated:none").value());
        base::Registry registry;
        PagerOptions options;
        options.heap_bytes = 1 << 20;
        options.local_pages = 64;
        options.use_move = UseMove();
        auto pager = std::move(Pager::Create(options, *fabric, registry).value());
        (void)pager->Extend(8);
        auto* const page = reinterpret_cast<volatile char*>(pager->table().AddressOf(8));
        g_expected_address = page;
        (void)*page;
      },
      ::testing::ExitedWithCode(42), "");
}

// A library takes SIGBUS over while a heap exists and hands on what is not its own; then another
// heap is created.
TEST_P(TrapDeathTest, AHandlerThatCameBetweenTwoHeapsMayHandOnToOurs) {
  EXPECT_EXIT(
      {
        std::signal(SIGBUS, SIG_DFL);
        PagerRig first(Options());
        Install(ChainToTheOlder);
        PagerRig second(Options());
        first.FillRange(0, 200, 1);
        second.FillRange(0, 200, 1);
        (void)*BehindTheEndOfAFile();
      },
      [](int status) {
        return ::testing::ExitedWithCode(45)(status) || ::testing::KilledBySignal(SIGBUS)(status);
      },
      "");
}

TANDEM_ON_BOTH_ROADS(TrapTest);
TANDEM_ON_BOTH_ROADS(TrapDeathTest);

}  // namespace
}  // namespace tandem::swap
