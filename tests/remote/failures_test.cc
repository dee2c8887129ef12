// What becomes of transfers and pages when the memory server is stopped, killed or restarted.
//
// Time-outs are short here. Nothing depends on how long anything takes, but that a server which is
// not stopped serves a transfer within twenty of them, on a busy machine too: a time-out that is
// shorter than a connection takes to be made anew would end every attempt.
#include <gmock/gmock.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "rdma/slab_map.h"
#include "runtime/base/clock.h"
#include "tests/rdma/fabric_conformance.h"
#include "tests/remote/growing_heap.h"
#include "tests/remote/server_process.h"
#include "tests/remote/survivor.h"
#include "tests/swap/pager_rig.h"

namespace tandem::rdma {
namespace {

using swap::PageIndex;
using swap::PagerRig;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

// The parameter is the fabric: one of tcp, shm-ofi, or one of shm and verbs, where mapped memory or
// a device serves for a server that is stopped, so that only killing it makes it fail.
class Failures : public ::testing::TestWithParam<const char*> {
 protected:
  static std::unique_ptr<ServerProcess> StartServer(const std::string& listen,
                                                    const std::vector<std::string>& more = {}) {
    std::vector<std::string> arguments = {"--fabric",   GetParam(), "--listen",  listen,
                                          "--capacity", "256MiB",   "--insecure"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return std::make_unique<ServerProcess>(arguments);
  }
  static bool IsDevice() { return std::string_view(GetParam()).starts_with("verbs"); }
  static bool ServesWhenStopped() { return IsDevice() || std::string_view(GetParam()) == "shm"; }
  // `name` tells servers of one machine apart.
  static std::string AnyAddress(const char* name = "failures") {
    return rdma::AnyAddress(GetParam(), name);
  }
  // Devices are tested where all is slow: in a translated machine.
  static int TimeoutMs() { return IsDevice() ? 100 : 50; }
  std::string Url(int timeout_ms = TimeoutMs()) const {
    return server_->url() + ",timeout_ms=" + std::to_string(timeout_ms);
  }
  swap::RigOptions Rig(int timeout_ms = TimeoutMs()) const {
    return {.fabric = Url(timeout_ms), .on_lost = Jump};
  }

  // A heap over server_ and this one; page kOnSecond is the first that the second holds.
  static constexpr PageIndex kOnSecond = SlabMap::kSlabPages;
  swap::RigOptions RigOfTwo(const ServerProcess& second) const {
    swap::RigOptions options = Rig();
    options.fabric =
        server_->url() + "," + second.url() + options.fabric.substr(server_->url().size());
    if (IsDevice()) options.fabric += std::string(",source=") + std::getenv("TANDEM_RDMA_ADDRESS");
    options.pages = kOnSecond + 200;
    return options;
  }

  std::unique_ptr<ServerProcess> server_ = StartServer(AnyAddress());
};

TEST_P(Failures, DamageIsReportedWithThePageAndTheServerOfTwoThatHoldsIt) {
  const std::unique_ptr<ServerProcess> second = StartServer(AnyAddress("failures-too"));
  PagerRig rig(RigOfTwo(*second));
  const PageIndex pages[] = {3, kOnSecond + 3};
  for (const PageIndex page : pages) rig.Fill(page, 1);
  for (const PageIndex page : pages) rig.Evict(page);
  Endpoint intruder(rig.fabric(), 1);
  Fill(intruder.Page(0), 666);
  for (uint32_t slab = 0; slab < 2; ++slab) {
    ASSERT_EQ(intruder.Carry(intruder.Write({slab, 3 * kPage}, 0, 1)), Outcome::kDone);
  }
  for (const PageIndex page : pages) {
    const ServerProcess& holder = page < kOnSecond ? *server_ : *second;
    EXPECT_FALSE(Try([&] { (void)rig.Words(page)[0]; }));
    EXPECT_THAT(t_reason, StartsWith("page " + std::to_string(page) + " (0x"));
    EXPECT_THAT(t_reason, HasSubstr("damaged"));
    EXPECT_THAT(t_reason, EndsWith("memory server " + holder.url()));
  }
  EXPECT_GE(rig.metrics().damaged.Value(), 2u);
}

TEST_P(Failures, OfTwoServersTheOneThatDiesIsNamedAndTheOtherGoesOnServing) {
  const std::unique_ptr<ServerProcess> second = StartServer(AnyAddress("failures-too"));
  PagerRig rig(RigOfTwo(*second));
  rig.FillRange(0, 3, 1);
  rig.FillRange(kOnSecond, 3, 1);
  rig.Evict(0, 3);
  rig.Evict(kOnSecond, 3);
  rig.MakeRoom();
  const std::string url = second->url();
  second->Kill(SIGKILL);
  AwaitLoss(rig.fabric(), 1);
  for (PageIndex i = 0; i < 3; ++i) {
    EXPECT_FALSE(Try([&] { (void)rig.Words(kOnSecond + i)[0]; }));
    EXPECT_THAT(t_reason, StartsWith("page " + std::to_string(kOnSecond + i) + " (0x"));
    EXPECT_THAT(t_reason, HasSubstr("memory server " + url + " that holds it is lost"));
    bool right = false;
    EXPECT_TRUE(Try([&] { right = rig.Holds(i, 1); })) << t_reason;
    EXPECT_TRUE(right);
  }
}

TEST_P(Failures, TransfersPassThoseThatWaitForAServerThatIsStopped) {
  if (ServesWhenStopped()) GTEST_SKIP() << "its device or memory goes on serving";
  constexpr size_t kHeldUp = 40;  // more than one batch
  const std::unique_ptr<ServerProcess> second = StartServer(AnyAddress("failures-too"));
  const std::unique_ptr<Fabric> fabric = OpenOrDie(RigOfTwo(*second).fabric);
  const uint32_t slab = fabric->LendSlab(kHeldUp * kPage).value();
  const uint32_t on_second = fabric->LendSlab(kPage).value();
  Endpoint endpoint(*fabric, kHeldUp + 1);
  Endpoint reader(*fabric, 1);
  Fill(endpoint.Page(kHeldUp), 7);
  server_->Stop();
  for (size_t i = 0; i < kHeldUp; ++i) {
    ASSERT_TRUE(endpoint.Post(endpoint.Write({slab, i * kPage}, i, i)));
  }
  ASSERT_TRUE(endpoint.Post(endpoint.Write({on_second, 0}, kHeldUp, kHeldUp)));
  EXPECT_TRUE(swap::Eventually([&] {
    Completion none[1];
    (void)endpoint.channel().Poll(std::span(none).first(0));
    return reader.Carry(reader.Read({on_second, 0}, 0, 1)) == Outcome::kDone &&
           IsFilledWith(reader.Page(0), 7);
  }));
  server_->Signal(SIGCONT);
  EXPECT_EQ(endpoint.Await(kHeldUp + 1).size(), kHeldUp + 1);
}

// The server hears of the channel for the first time when there is nobody at its other end.
TEST_P(Failures, AClientThatIsGoneBeforeItsFirstRequestIsReadHarmsNobody) {
  for (int round = 0; round < 5; ++round) {
    const std::unique_ptr<Fabric> fabric = OpenOrDie(Url());
    const uint32_t slab = fabric->LendSlab(kPage).value();
    {
      Endpoint endpoint(*fabric, 1);
      server_->Stop();
      ASSERT_TRUE(endpoint.Post(endpoint.Read({slab, 0}, 0, 1)));
      Completion some[1];
      for (int i = 0; i < 1000; ++i) (void)endpoint.channel().Poll(std::span(some).first(0));
      if (!endpoint.channel().Cancel(1)) endpoint.Await(1);
    }
    server_->Signal(SIGCONT);
    Endpoint endpoint(*fabric, 1);
    ASSERT_EQ(endpoint.Carry(endpoint.Read({slab, 0}, 0, 1)), Outcome::kDone);
  }
}

TEST_P(Failures, AServerThatPausesOnlyDelays) {
  PagerRig rig(Rig(100));
  rig.FillRange(0, 200, 1);
  server_->Stop();
  std::thread waker([&] {
    // Long enough for time-outs; with none the result is the same.
    std::this_thread::sleep_for(std::chrono::milliseconds(350));
    server_->Signal(SIGCONT);
  });
  size_t right = 0;
  for (PageIndex page = 0; page < 200; ++page) {
    EXPECT_TRUE(Try([&] { right += rig.Holds(page, 1); })) << page << ": " << t_reason;
  }
  waker.join();
  EXPECT_EQ(right, 200u);
}

TEST_P(Failures, AServerThatIsStoppedEndsInTheLostPageHandler) {
  if (ServesWhenStopped()) GTEST_SKIP() << "its device or memory goes on serving";
  PagerRig rig(Rig());
  rig.FillRange(0, 200, 1);
  rig.Evict(0, 2);
  rig.MakeRoom();
  server_->Stop();
  EXPECT_FALSE(Try([&] { (void)rig.Words(0)[0]; }));
  EXPECT_THAT(t_reason, HasSubstr("lost"));
  server_->Signal(SIGCONT);
}

TEST_P(Failures, AHeapThatGrowsOnAStoppedServerIsFullUntilTheServerAnswersAgain) {
  GrowingHeap growing(server_->url());
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(growing.Grow());
  server_->Stop();
  const uint64_t start = base::NowNs();
  int grown = 0;
  while (growing.Grow()) ++grown;
  EXPECT_LT(grown, 64);
  EXPECT_THAT(growing.heap().GrowthTrouble(), HasSubstr("no answer from a memory server"));
  // Once the server is known not to answer, nobody waits for it: each of these allocations would
  // take longer than that, or than all of them may.
  for (int i = 0; i < 10; ++i) EXPECT_FALSE(growing.Grow());
  EXPECT_LT(base::NowNs() - start, 20'000'000'000u);
  server_->Signal(SIGCONT);
  EXPECT_TRUE(swap::Eventually([&] { return growing.Grow(); }));
  EXPECT_EQ(growing.heap().GrowthTrouble(), "");
}

TEST_P(Failures, AHeapThatGrowsOnAKilledServerIsFullForThatReason) {
  GrowingHeap growing(server_->url());
  ASSERT_TRUE(growing.Grow());
  server_->Kill(SIGKILL);
  while (growing.Grow()) {
  }
  EXPECT_THAT(growing.heap().GrowthTrouble(), HasSubstr("no answer from a memory server"));
}

TEST_P(Failures, AServerThatIsKilledEndsInTheLostPageHandler) {
  PagerRig rig(Rig());
  rig.FillRange(0, 200, 1);
  rig.Evict(0, 2);
  rig.MakeRoom();
  const PageIndex local = 100;
  rig.pager().Pin(local, 1, rig.port());
  server_->Kill(SIGKILL);
  AwaitLoss(rig.fabric());
  EXPECT_FALSE(Try([&] { (void)rig.Words(0)[0]; }));
  EXPECT_THAT(t_reason, HasSubstr("is lost"));
  bool right = false;
  EXPECT_TRUE(Try([&] { right = rig.Holds(local, 1); })) << t_reason;
  EXPECT_TRUE(right);
  rig.pager().Unpin(local, 1);
}

TEST_P(Failures, AServerThatComesBackEmptyIsNeverReadAsZeroes) {
  // The lease is not what tells: it is renewed every twenty minutes.
  server_.reset();
  server_ = StartServer(AnyAddress(), {"--lease", "3600"});
  const std::string address = server_->address();
  PagerRig rig(Rig(1000));
  rig.FillRange(0, 200, 1);
  rig.Evict(0, 2);
  rig.MakeRoom();
  server_->Kill(SIGKILL);
  AwaitLoss(rig.fabric());
  server_ = StartServer(address);
  ASSERT_FALSE(server_->ready().empty());
  // Lost for good, and known to be so before all time-outs have passed.
  EXPECT_FALSE(Try([&] { (void)rig.Words(0)[0]; }));
  EXPECT_THAT(t_reason, HasSubstr("lost"));
  EXPECT_EQ(rig.fabric().Stats().lent_bytes, 0u);
  const std::unique_ptr<Fabric> fresh = OpenOrDie(Url());
  EXPECT_TRUE(fresh->LendSlab(kPage).ok());
}

TEST_P(Failures, LocalPagesLiveOnWhileTheServerIsStoppedKilledAndStartedAgain) {
  const uint64_t seed = TestSeed();
  const std::string address = server_->address();
  PagerRig rig(Rig());
  constexpr size_t kThreads = 3;
  std::atomic<uint64_t> operations[kThreads] = {};
  std::atomic<uint64_t> losses[kThreads] = {};
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  for (size_t t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      Survivor survivor(rig, t * Survivor::kPages, seed + t);
      while (!stop) {
        ++(survivor.Operate() ? operations : losses)[t];
      }
    });
  }
  // Every thread goes on for a while.
  const auto await_more = [](auto& counts, uint64_t more) {
    for (auto& count : counts) {
      const uint64_t before = count;
      EXPECT_TRUE(swap::Eventually([&] { return count >= before + more; }));
    }
  };
  await_more(operations, 200);
  for (int i = 0; i < 3; ++i) {
    server_->Stop();
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    server_->Signal(SIGCONT);
    await_more(operations, 10);
  }
  server_->Kill(SIGKILL);
  await_more(losses, 1);
  server_ = StartServer(address);
  EXPECT_FALSE(server_->ready().empty());
  await_more(losses, 20);
  await_more(operations, 200);
  stop = true;
  for (std::thread& thread : threads) thread.join();
  EXPECT_TRUE(OpenOrDie(Url())->LendSlab(kPage).ok());
}

INSTANTIATE_TEST_SUITE_P(Fabrics, Failures, ::testing::Values("tcp", "tcp-rdm", "shm", "shm-ofi"));
INSTANTIATE_TEST_SUITE_P(Device, Failures, ::testing::ValuesIn(OnDevice({"verbs", "verbs-ofi"})));

}  // namespace
}  // namespace tandem::rdma
