// What becomes of pages when the network between heap and server is cut: packets vanish, and
// neither side is told.
#include <gmock/gmock.h>

#include <atomic>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "tests/rdma/fabric_conformance.h"
#include "tests/remote/relay.h"
#include "tests/remote/server_process.h"
#include "tests/remote/survivor.h"
#include "tests/swap/pager_rig.h"

namespace tandem::rdma {
namespace {

using swap::Eventually;
using swap::PageIndex;
using swap::PagerRig;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class CutNetwork : public ::testing::Test {
 protected:
  swap::RigOptions Rig(int timeout_ms) const {
    return {.fabric = way_.url() + ",timeout_ms=" + std::to_string(timeout_ms), .on_lost = Jump};
  }

  // The page can be read, and is what it was.
  static bool Comes(PagerRig& rig, PageIndex page, uint64_t value) {
    bool right = false;
    return Try([&] { right = rig.Holds(page, value); }) && right;
  }

  // Whether no page is on its way out.
  static bool IsAtRest(PagerRig& rig) {
    for (PageIndex page = 0; page < rig.pager().table().used(); ++page) {
      if (swap::Residency(rig.StateOf(page)) == swap::kWriting) return false;
    }
    return true;
  }

  ServerProcess server_ = ServerProcess::Of("tcp");
  RelayedServer way_{server_};
};

TEST_F(CutNetwork, AFetchEndsInTheLostPageHandlerAndIsServedOnceTheNetworkIsMended) {
  PagerRig rig(Rig(200));
  rig.FillRange(0, 200, 1);
  rig.Evict(0, 3);
  rig.MakeRoom();
  const PageIndex local = 100;
  rig.pager().Pin(local, 1, rig.port());
  // Else a write on its way would be given up as well, and with it all further eviction.
  ASSERT_TRUE(Eventually([&] { return IsAtRest(rig); }));
  way_.Cut();
  EXPECT_FALSE(Try([&] { (void)rig.Words(0)[0]; }));
  EXPECT_THAT(t_reason, StartsWith("page 0 (0x"));
  EXPECT_THAT(t_reason, HasSubstr("memory server " + way_.url() + " that holds it is lost"));
  EXPECT_TRUE(Comes(rig, local, 1));
  EXPECT_GE(rig.metrics().retries.Value(), swap::Port::kMaxTimeouts);
  way_.Mend();
  // It is not lost for good: the far side has it still.
  for (PageIndex page = 0; page < 3; ++page) {
    EXPECT_TRUE(Eventually([&] { return Comes(rig, page, 1); })) << page;
  }
  for (PageIndex page = 0; page < 200; ++page) EXPECT_TRUE(Comes(rig, page, 1)) << page;
  rig.pager().Unpin(local, 1);
}

// Each cut lasts for a time-out or more, and for far fewer than a page is given.
TEST_F(CutNetwork, ThreadsGoOnAfterCutsAndReadWhatTheyHaveWritten) {
  const uint64_t seed = TestSeed();
  PagerRig rig(Rig(1000));
  constexpr size_t kThreads = 2;
  std::atomic<uint64_t> operations[kThreads] = {};
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  for (size_t t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      Survivor survivor(rig, t * Survivor::kPages, seed + t);
      while (!stop) operations[t] += survivor.Operate();
    });
  }
  const auto go_on = [&] {
    for (std::atomic<uint64_t>& count : operations) {
      const uint64_t before = count;
      EXPECT_TRUE(Eventually([&] { return count >= before + 200; }));
    }
  };
  const auto retries = [&] {
    return rig.metrics().retries.Value() + rig.metrics().write_retries.Value();
  };
  go_on();
  // On a busy machine a cut may pass by without a time-out.
  for (int cut = 0; cut < 3 || (cut < 20 && retries() == 0); ++cut) {
    way_.Cut();
    std::this_thread::sleep_for(std::chrono::milliseconds(1500));
    way_.Mend();
    go_on();
  }
  EXPECT_GT(retries(), 0u);
  stop = true;
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace tandem::rdma
