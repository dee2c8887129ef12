// What the emulated fabric adds to what every fabric does: its name, its timing, its faults.
#include "rdma/emulated_fabric.h"

#include <gmock/gmock.h>

#include <random>
#include <set>

#include "tests/rdma/fabric_conformance.h"

namespace tandem::rdma {
namespace {

using testing::AllOf;
using testing::Each;
using testing::ElementsAre;
using testing::Field;
using testing::HasSubstr;
using testing::Not;

constexpr size_t kPages = 256;

// A fabric with everything that a test needs.
struct Rig {
  explicit Rig(const char* url)
      : fabric(OpenOrDie(url)),
        slab(fabric->LendSlab(kPages * kPage).value()),
        endpoint(*fabric, kPages),
        channel(endpoint.channel()) {}

  FarAddress Far(size_t page) const { return {slab, page * kPage}; }
  Transfer Read(size_t page, uint64_t cookie, Lane lane = Lane::kDemand) {
    return endpoint.Read(Far(page), page, cookie, lane);
  }
  Transfer Write(size_t page, uint64_t cookie, Lane lane = Lane::kWriteBack) {
    return endpoint.Write(Far(page), page, cookie, lane);
  }

  std::unique_ptr<Fabric> fabric;
  uint32_t slab;
  Endpoint endpoint;
  Channel& channel;
};

std::vector<uint64_t> Cookies(const std::vector<Completion>& done) {
  std::vector<uint64_t> cookies;
  for (const Completion& c : done) cookies.push_back(c.cookie);
  return cookies;
}

// --- Names ---

TEST(EmulatedOptions, NamesAreFullAndOpenTheSameAgain) {
  const std::pair<const char*, const char*> names[] = {
      {"emulated", "emulated:rdma40"},
      {"emulated:", "emulated:rdma40"},
      {"emulated:none", "emulated:none"},
      {"emulated:tcp,latency_ns=5000,depth=8",
       "emulated:tcp,read_latency_ns=5000,write_latency_ns=5000,depth=8"},
      {"emulated:rdma100,seed=3,loss=0.01,bandwidth_mb_s=0.5",
       "emulated:rdma100,bandwidth_mb_s=0.5,loss=0.01,seed=3"},
      {"emulated:rdma40-share,cores=2,pins=1", "emulated:rdma40-share,cores=2,pins=1"},
      {"emulated:none,delay=1e-3,delay_ns=7,damage=1,die_after=9,timeout_ms=2",
       "emulated:none,timeout_ms=2,delay=0.001,delay_ns=7,damage=1,die_after=9"},
      {"emulated:none,seed=18446744073709551615", "emulated:none,seed=18446744073709551615"},
  };
  for (const auto& [given, full] : names) {
    EXPECT_EQ(OpenOrDie(given)->Name(), full);
    EXPECT_EQ(OpenOrDie(full)->Name(), full);
  }
}

TEST(EmulatedOptions, AShareOfTheBandwidthFollowsTheCores) {
  const auto rate = [](const char* text) {
    return EmulatedOptions::Parse(text).value().Link().bytes_per_second;
  };
  EXPECT_EQ(rate("rdma40"), 4'500'000'000u);
  EXPECT_EQ(rate("rdma40-share,cores=16"), 4'500'000'000u);
  EXPECT_EQ(rate("rdma40-share,cores=2"), 562'500'000u);
  EXPECT_EQ(rate("rdma40-share,cores=2,bandwidth_mb_s=16"), 2'000'000u);
  EXPECT_EQ(rate("none"), 0u);
  EXPECT_EQ(rate("none,bandwidth_mb_s=1e-9"), 1u) << "slow is not unlimited";
  EXPECT_THAT(OpenOrDie("emulated:rdma40-share")->Name(), HasSubstr("cores="));
}

TEST(EmulatedOptions, NonsenseIsRefusedInOneLineThatListsWhatIsValid) {
  const std::pair<const char*, const char*> cases[] = {
      {"emulated:foo", "rdma40-share"},
      {"emulated:none\nx", "rdma40-share"},
      {"emulated:loss=1", "rdma40-share"},
      {"emulated:,loss=1", "rdma40-share"},
      {"emulated:none,", "bandwidth_mb_s"},
      {"emulated:none,lose=1", "loss"},
      {"emulated:none,=1", "loss"},
      {"emulated:none,loss", "from 0 to 1"},
      {"emulated:none,loss=", "from 0 to 1"},
      {"emulated:none,loss=2", "from 0 to 1"},
      {"emulated:none,loss=-0.1", "from 0 to 1"},
      {"emulated:none,loss=nan", "from 0 to 1"},
      {"emulated:none,loss=0.1x", "from 0 to 1"},
      {"emulated:none,loss=0.1\n", "from 0 to 1"},
      {"emulated:none,depth=0", "from 1 to 32768"},
      {"emulated:none,depth=1.5", "whole numbers"},
      {"emulated:none,depth=-1", "whole numbers"},
      {"emulated:none,depth=99999999999999999999999", "whole numbers"},
      {"emulated:none,bandwidth_mb_s=inf", "from 0"},
      {"emulated:none,latency_ns=soon", "numbers from 0"},
      {"emulated:none,pins=2", "from 0 to 1"},
      {"emulated:none,die_after=0", "from 1"},
      {"emulated:none,timeout_ms=0", "from 1"},
      {"emulated:rdma40,cores=2", "rdma40-share"},
  };
  for (const auto& [url, valid] : cases) {
    const Status status = Fabric::Open(url).status();
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument) << url;
    EXPECT_THAT(status.message(), AllOf(HasSubstr(valid), Not(HasSubstr("\n")))) << url;
  }
  const Status longest = Fabric::Open("emulated:" + std::string(100'000, 'x')).status();
  EXPECT_LT(longest.message().size(), 300u);
}

TEST(EmulatedOptions, WhatIsListedCanBeOpened) {
  for (const FabricDescription& fabric : ListFabrics()) {
    EXPECT_TRUE(Fabric::Open(fabric.name).ok()) << fabric.name;
  }
}

TEST(EmulatedOptions, PinsDepthAndTimeoutAreAsAsked) {
  const std::unique_ptr<Fabric> plain = OpenOrDie("emulated");
  EXPECT_FALSE(plain->PinsBuffers());
  EXPECT_EQ(plain->TimeoutNs(), 50'000'000u);
  EXPECT_EQ(plain->OpenChannel().value()->depth(), 64u);
  const std::unique_ptr<Fabric> asked = OpenOrDie("emulated:none,pins=1,depth=7,timeout_ms=3");
  EXPECT_TRUE(asked->PinsBuffers());
  EXPECT_EQ(asked->TimeoutNs(), 3'000'000u);
  EXPECT_EQ(asked->OpenChannel().value()->depth(), 7u);
}

// --- Timing ---

TEST(EmulatedFabric, ATransferTakesAtLeastLatencyAndBytesOverBandwidth) {
  Rig rig("emulated:none,read_latency_ns=200000,write_latency_ns=400000,bandwidth_mb_s=40.96");
  uint64_t start_ns = base::NowNs();
  rig.endpoint.Carry(rig.Read(0, 1));
  EXPECT_GE(base::NowNs() - start_ns, 200'000u + 100'000);
  start_ns = base::NowNs();
  rig.endpoint.Carry(rig.Write(0, 1));
  EXPECT_GE(base::NowNs() - start_ns, 400'000u + 100'000);
}

TEST(EmulatedFabric, ChannelsShareTheBandwidth) {
  Rig rig("emulated:none,bandwidth_mb_s=40.96");
  Endpoint other(*rig.fabric, 1);
  const uint64_t start_ns = base::NowNs();
  for (uint64_t i = 0; i < 10; ++i) {
    ASSERT_TRUE(rig.endpoint.Post(rig.Read(i, i)));
    ASSERT_TRUE(other.Post(other.Read(rig.Far(0), 0, i)));
  }
  rig.endpoint.Await(10);
  other.Await(10);
  EXPECT_GE(base::NowNs() - start_ns, 20u * 100'000);
}

TEST(EmulatedFabric, HigherLanesGoFirst) {
  Rig rig("emulated:none,bandwidth_mb_s=409.6");
  // Posted in one call, hence at one moment, lowest lane first.
  std::vector<Transfer> transfers;
  for (size_t lane = kLaneCount; lane-- > 0;) {
    for (uint64_t i = 0; i < 4; ++i) {
      transfers.push_back(rig.Read(lane * 4 + i, lane * 4 + i, Lane{uint8_t(lane)}));
    }
  }
  ASSERT_EQ(rig.channel.Post(transfers), 16u);
  EXPECT_THAT(Cookies(rig.endpoint.Await(16)),
              ElementsAre(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15));
}

TEST(EmulatedFabric, BuffersAreFilledNotBeforeTheCompletion) {
  Rig rig("emulated:none,read_latency_ns=1000000");
  Fill(rig.endpoint.Page(0), 4);
  ASSERT_TRUE(rig.endpoint.Post(rig.Read(0, 1)));
  EXPECT_TRUE(IsFilledWith(rig.endpoint.Page(0), 4));
  rig.endpoint.Await(1);
  EXPECT_TRUE(IsFilledWith(rig.endpoint.Page(0), 0));
}

// --- Faults ---

TEST(EmulatedFabric, ALostTransferStaysInFlightUntilCancelledAndDoesNotBlockOthers) {
  Rig rig("emulated:none,loss=0.5,seed=5");
  std::vector<Transfer> transfers;
  for (uint64_t i = 0; i < 64; ++i) transfers.push_back(rig.Read(i, i));
  ASSERT_EQ(rig.channel.Post(transfers), 64u);
  Completion done[64];
  const size_t arrived = rig.channel.Poll(done);
  EXPECT_GT(arrived, 0u);
  EXPECT_LT(arrived, 64u);
  EXPECT_EQ(rig.channel.Poll(done), 0u);
  EXPECT_EQ(rig.channel.in_flight(), 64 - arrived);
  EXPECT_EQ(rig.fabric->Stats().faults_injected, 64 - arrived);

  std::set<uint64_t> missing;
  for (uint64_t i = 0; i < 64; ++i) missing.insert(i);
  for (size_t i = 0; i < arrived; ++i) missing.erase(done[i].cookie);
  for (uint64_t cookie : missing) EXPECT_TRUE(rig.channel.Cancel(cookie));
  EXPECT_EQ(rig.channel.in_flight(), 0u);
  EXPECT_EQ(rig.channel.Post(transfers), 64u);
}

TEST(EmulatedFabric, LossIsOvercomeByCancelAndRetry) {
  Rig rig("emulated:rdma100,loss=0.2,timeout_ms=1");
  Endpoint& endpoint = rig.endpoint;
  const auto persist = [&](const Transfer& transfer) {
    for (;;) {
      ASSERT_TRUE(endpoint.Post(transfer));
      const uint64_t deadline_ns = base::NowNs() + rig.fabric->TimeoutNs();
      Completion done[1];
      while (base::NowNs() < deadline_ns) {
        if (rig.channel.Poll(done) == 0) continue;
        ASSERT_EQ(done[0].cookie, transfer.cookie);
        ASSERT_EQ(done[0].outcome, Outcome::kDone);
        return;
      }
      if (!rig.channel.Cancel(transfer.cookie)) {
        ASSERT_EQ(endpoint.Await(1).size(), 1u);
        return;
      }
    }
  };
  for (uint64_t i = 0; i < 50; ++i) {
    Fill(endpoint.Page(i), 900 + i);
    persist(rig.Write(i, i));
    Fill(endpoint.Page(i), 0);
    persist(rig.Read(i, i));
    ASSERT_TRUE(IsFilledWith(endpoint.Page(i), 900 + i));
  }
  EXPECT_GT(rig.fabric->Stats().faults_injected, 0u);
}

TEST(EmulatedFabric, AFullQueueOfLostTransfersAcceptsNothing) {
  Rig rig("emulated:none,loss=1,depth=2");
  const Transfer transfers[] = {rig.Read(0, 0), rig.Read(1, 1), rig.Read(2, 2)};
  EXPECT_EQ(rig.channel.Post(transfers), 2u);
  Completion done[1];
  EXPECT_EQ(rig.channel.Poll(done), 0u);
  EXPECT_EQ(rig.channel.Post(std::span(transfers).last(1)), 0u);
  EXPECT_TRUE(rig.channel.Cancel(1));
  EXPECT_EQ(rig.channel.Post(std::span(transfers).last(1)), 1u);
}

TEST(EmulatedFabric, DelayedTransfersComeLateButCome) {
  Rig rig("emulated:none,delay=1,delay_ns=2000000");
  Fill(rig.endpoint.Page(0), 8);
  uint64_t start_ns = base::NowNs();
  EXPECT_EQ(rig.endpoint.Carry(rig.Write(0, 1)), Outcome::kDone);
  EXPECT_GE(base::NowNs() - start_ns, 2'000'000u);
  Fill(rig.endpoint.Page(0), 9);
  start_ns = base::NowNs();
  ASSERT_TRUE(rig.endpoint.Post(rig.Read(0, 2)));
  rig.endpoint.Await(1);
  EXPECT_GE(base::NowNs() - start_ns, 2'000'000u);
  EXPECT_TRUE(IsFilledWith(rig.endpoint.Page(0), 8));
}

TEST(EmulatedFabric, ACancelledDelayedReadNeverTouchesItsBuffer) {
  Rig rig("emulated:none,delay=1,delay_ns=100000");
  // Until a poll finds the transfer delayed rather than, on a slow machine, done.
  Completion done[1];
  do {
    Fill(rig.endpoint.Page(0), 8);
    ASSERT_TRUE(rig.endpoint.Post(rig.Read(0, 1)));
  } while (rig.channel.Poll(done) == 1);
  EXPECT_TRUE(rig.channel.Cancel(1));
  const uint64_t start_ns = base::NowNs();
  while (base::NowNs() - start_ns < 300'000) EXPECT_EQ(rig.channel.Poll(done), 0u);
  EXPECT_TRUE(IsFilledWith(rig.endpoint.Page(0), 8));
}

TEST(EmulatedFabric, DelayDoesNotLetALaterWriteBeOvertaken) {
  const uint64_t seed = TestSeed();
  Rig rig(("emulated:none,delay=0.5,delay_ns=20000,seed=" + std::to_string(seed)).c_str());
  std::mt19937_64 random(seed);
  Endpoint& endpoint = rig.endpoint;
  for (int round = 0; round < kRounds / 50; ++round) {
    std::vector<Transfer> writes;
    for (uint64_t i = 0; i < 8; ++i) {
      Fill(endpoint.Page(i), round * 100 + i);
      writes.push_back(endpoint.Write(rig.Far(0), i, i, Lane{uint8_t(random() % kLaneCount)}));
    }
    ASSERT_EQ(endpoint.Carry(writes).size(), 8u);
    ASSERT_EQ(endpoint.Carry(endpoint.Read(rig.Far(0), 9, 1)), Outcome::kDone);
    ASSERT_TRUE(IsFilledWith(endpoint.Page(9), round * 100 + 7)) << round;
  }
}

TEST(EmulatedFabric, DamageIsOfWhatIsDeliveredNotOfWhatIsStored) {
  Rig rig("emulated:none,damage=0.5,seed=2");
  Fill(rig.endpoint.Page(0), 6);
  EXPECT_EQ(rig.endpoint.Carry(rig.Write(0, 1)), Outcome::kDone);
  EXPECT_TRUE(IsFilledWith(rig.endpoint.Page(0), 6)) << "writes are not damaged";
  int damaged = 0;
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(rig.endpoint.Carry(rig.Read(0, 1)), Outcome::kDone) << "damage is silent";
    damaged += !IsFilledWith(rig.endpoint.Page(0), 6);
  }
  EXPECT_GT(damaged, 0);
  EXPECT_LT(damaged, 100);
  EXPECT_EQ(rig.fabric->Stats().faults_injected, static_cast<uint64_t>(damaged));
}

TEST(EmulatedFabric, AfterItsDeathTheFarSideIsGoneForGood) {
  Rig rig("emulated:none,die_after=10");
  for (uint64_t i = 0; i < 10; ++i) EXPECT_EQ(rig.endpoint.Carry(rig.Read(i, i)), Outcome::kDone);
  Fill(rig.endpoint.Page(0), 3);
  EXPECT_EQ(rig.endpoint.Carry(rig.Read(0, 1)), Outcome::kServerLost);
  EXPECT_TRUE(IsFilledWith(rig.endpoint.Page(0), 3));
  EXPECT_EQ(rig.endpoint.Carry(rig.Write(0, 1)), Outcome::kServerLost);
  EXPECT_EQ(rig.fabric->LendSlab(kPage).status().code(), StatusCode::kUnavailable);
  EXPECT_EQ(rig.fabric->Stats().lent_bytes, 0u);
  Endpoint later(*rig.fabric, 1);
  EXPECT_EQ(later.Carry(later.Read(rig.Far(0), 0, 1)), Outcome::kServerLost);
}

TEST(EmulatedFabric, DeathCompletesWhatIsInFlightAtOnce) {
  Rig rig("emulated:none,read_latency_ns=0,write_latency_ns=10000000000,die_after=1,delay=1");
  std::vector<Transfer> transfers;
  for (uint64_t i = 0; i < 10; ++i) transfers.push_back(rig.Write(i, i));
  ASSERT_EQ(rig.channel.Post(transfers), 10u);
  Endpoint killer(*rig.fabric, 1);
  EXPECT_EQ(killer.Carry(killer.Read(rig.Far(0), 0, 1)), Outcome::kDone);
  Completion done[16];
  EXPECT_EQ(rig.channel.Poll(done), 10u);
  EXPECT_THAT(std::vector(done, done + 10),
              Each(Field(&Completion::outcome, Outcome::kServerLost)));
}

TEST(EmulatedFabric, EveryTransferEndsOnceUnderAllFaultsTogether) {
  const uint64_t seed = TestSeed();
  Rig rig(("emulated:rdma100,depth=16,loss=0.1,delay=0.2,delay_ns=20000,damage=0.1,die_after=" +
           std::to_string(kRounds / 2) + ",seed=" + std::to_string(seed))
              .c_str());
  std::mt19937_64 random(seed);
  std::set<uint64_t> in_flight;
  uint64_t next = 0;
  int idle = 0;
  while (next < static_cast<uint64_t>(kRounds) || !in_flight.empty()) {
    if (next < static_cast<uint64_t>(kRounds)) {
      const Lane lane{uint8_t(random() % kLaneCount)};
      const Transfer t = random() % 2 == 0 ? rig.Read(next % kPages, next, lane)
                                           : rig.Write(next % kPages, next, lane);
      if (rig.endpoint.Post(t)) in_flight.insert(next++);
    }
    Completion done[4];
    const size_t n = rig.channel.Poll(done);
    for (size_t i = 0; i < n; ++i) ASSERT_EQ(in_flight.erase(done[i].cookie), 1u);
    idle = n == 0 ? idle + 1 : 0;
    if (idle > 20 && !in_flight.empty()) {
      const uint64_t victim = *in_flight.begin();
      ASSERT_TRUE(rig.channel.Cancel(victim));
      in_flight.erase(victim);
      idle = 0;
    }
    ASSERT_EQ(rig.channel.in_flight(), in_flight.size());
  }
}

#ifdef TANDEM_CHECKING
TEST(EmulatedFabricDeathTest, ABufferThatIsNotRegisteredIsCaught) {
  Rig rig("emulated:none");
  std::byte outside[kPage];
  EXPECT_DEATH(rig.endpoint.Post({Direction::kRead, Lane::kDemand, rig.Far(0), outside, kPage, 1}),
               "registered");
}
#endif

}  // namespace
}  // namespace tandem::rdma
