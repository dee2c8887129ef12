// Time is an argument here: nothing depends on the clock.
#include "rdma/link_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <thread>
#include <vector>

#include "tests/rdma/fabric_conformance.h"

namespace tandem::rdma {
namespace {

// One byte a nanosecond, so that sizes are times.
constexpr LinkParameters kLink{
    .read_latency_ns = 3000, .write_latency_ns = 1000, .bytes_per_second = 1'000'000'000};
constexpr Direction kRead = Direction::kRead;
constexpr Direction kWrite = Direction::kWrite;

class LinkModelTest : public testing::Test {
 protected:
  LinkModel link_{kLink};

  uint64_t DueRead(Lane lane, uint32_t bytes, uint64_t now_ns) {
    return link_.Send(kRead, lane, bytes, now_ns).due_ns();
  }
};

TEST_F(LinkModelTest, AnIdleLinkTakesLatencyAndBytesOverBandwidth) {
  EXPECT_EQ(link_.Send(kRead, Lane::kDemand, 4096, 100'000).due_ns(), 100'000u + 3000 + 4096);
  EXPECT_EQ(link_.Send(kWrite, Lane::kDemand, 4096, 100'000).due_ns(), 100'000u + 1000 + 4096);
}

TEST_F(LinkModelTest, LatencyIsPipelined) {
  EXPECT_EQ(DueRead(Lane::kDemand, 500, 0), 3500u);
  EXPECT_EQ(DueRead(Lane::kDemand, 500, 0), 4000u);
  EXPECT_EQ(DueRead(Lane::kDemand, 500, 100), 4500u);
  EXPECT_EQ(DueRead(Lane::kDemand, 500, 10'000), 13'500u);
}

TEST_F(LinkModelTest, DirectionsAreIndependent) {
  for (int i = 0; i < 100; ++i) link_.Send(kWrite, Lane::kDemand, 4096, 0);
  EXPECT_EQ(DueRead(Lane::kWriteBack, 500, 0), 3500u);
}

TEST_F(LinkModelTest, WithoutBandwidthLimitOnlyLatencyCounts) {
  LinkModel link({.read_latency_ns = 10});
  for (int i = 0; i < 10; ++i) {
    Passage passage = link.Send(kRead, Lane::kTrace, 1 << 20, 50);
    EXPECT_FALSE(link.Arrived(kRead, Lane::kTrace, passage, 59));
    EXPECT_TRUE(link.Arrived(kRead, Lane::kTrace, passage, 60));
  }
  EXPECT_TRUE(link.TakesTime());
  EXPECT_FALSE(LinkModel({}).TakesTime());
}

TEST_F(LinkModelTest, AnOperationKeepsTheWireBusyWhateverItsSize) {
  LinkModel link({.read_latency_ns = 10, .operation_ns = 100, .bytes_per_second = 1'000'000'000});
  EXPECT_EQ(link.Send(kRead, Lane::kDemand, 64, 0).due_ns(), 164u + 10);
  EXPECT_EQ(link.Send(kRead, Lane::kDemand, 64, 0).due_ns(), 2 * 164u + 10);
  EXPECT_EQ(LinkModel({.operation_ns = 100}).OccupancyNs(4096), 100u);
  EXPECT_TRUE(LinkModel({.operation_ns = 100}).TakesTime());
}

TEST_F(LinkModelTest, DemandWaitsForAtMostOneTransferOfALowerLane) {
  for (int i = 0; i < 64; ++i) link_.Send(kRead, Lane::kWriteBack, 1000, 0);
  // At 10'300 the transfer that started at 10'000 is on the wire.
  EXPECT_EQ(DueRead(Lane::kDemand, 500, 10'300), 11'000u + 500 + 3000);
  // The next demand follows at once.
  EXPECT_EQ(DueRead(Lane::kDemand, 500, 10'300), 11'500u + 500 + 3000);
}

TEST_F(LinkModelTest, EveryLaneOvertakesTheLanesBelowIt) {
  for (size_t i = 0; i < 64; ++i) link_.Send(kRead, Lane::kWriteBack, 1000, 0);
  uint64_t last = 0;
  for (size_t lane = kLaneCount - 1; lane-- > 0;) {
    for (size_t i = 0; i < 4; ++i) last = DueRead(Lane{uint8_t(lane)}, 1000, 0);
    EXPECT_EQ(last, 4000u + 3000) << kLaneNames[lane];
  }
}

TEST_F(LinkModelTest, DemandPushesBackWhatLowerLanesHaveWaiting) {
  std::vector<Passage> waiting;
  for (int i = 0; i < 4; ++i) waiting.push_back(link_.Send(kRead, Lane::kPrefetch, 1000, 0));
  DueRead(Lane::kDemand, 700, 100);  // behind the first, before the others
  const uint64_t due[] = {4000, 5700, 6700, 7700};
  for (size_t i = 0; i < 4; ++i) {
    Passage& passage = waiting[i];
    // The first was on the wire: whoever looks in time sees so.
    if (i == 0) passage.started = true;
    EXPECT_FALSE(link_.Arrived(kRead, Lane::kPrefetch, passage, due[i] - 1)) << i;
    EXPECT_TRUE(link_.Arrived(kRead, Lane::kPrefetch, passage, due[i])) << i;
  }
  EXPECT_EQ(DueRead(Lane::kPrefetch, 1000, 100), 8700u);
  EXPECT_EQ(DueRead(Lane::kTrace, 1000, 100), 9700u);
}

TEST_F(LinkModelTest, DemandDoesNotPushBackWhatIsAlreadyOnTheWire) {
  Passage only = link_.Send(kRead, Lane::kPrefetch, 1000, 0);
  EXPECT_EQ(DueRead(Lane::kDemand, 500, 200), 1000u + 500 + 3000);
  EXPECT_TRUE(link_.Arrived(kRead, Lane::kPrefetch, only, 4000));
}

TEST_F(LinkModelTest, HigherLanesDoNotWaitForWhatTheyOvertook) {
  // Demand and write-back keep the wire busy for long; demand stays as fast as on its own.
  uint64_t now_ns = 0;
  for (int i = 0; i < 1000; ++i) {
    link_.Send(kRead, Lane::kWriteBack, 1000, now_ns);
    EXPECT_LE(DueRead(Lane::kDemand, 500, now_ns), now_ns + 1000 + 500 + 3000);
    now_ns += 1000;
  }
}

TEST_F(LinkModelTest, OneLaneUsesTheWholeBandwidth) {
  uint64_t due_ns = 0;
  for (int i = 0; i < 1000; ++i) due_ns = DueRead(Lane::kTrace, 4096, due_ns / 2);
  EXPECT_EQ(due_ns, 1000u * 4096 + 3000);
}

TEST(LinkModelOccupancy, IsNeverRoundedDown) {
  LinkModel link({.bytes_per_second = 4'500'000'000});
  EXPECT_EQ(link.OccupancyNs(4096), 911u);
  EXPECT_EQ(link.OccupancyNs(1), 1u);
  EXPECT_EQ(link.OccupancyNs(0), 0u);
  EXPECT_EQ(LinkModel({.bytes_per_second = 1}).OccupancyNs(UINT32_MAX),
            uint64_t{UINT32_MAX} * 1'000'000'000);
}

// Random traffic in all lanes, as much as the link carries or more: what has arrived never
// exceeds the bandwidth, and nothing is wasted while something waits.
TEST_F(LinkModelTest, RandomTrafficIsCarriedAtTheBandwidthAndNoFaster) {
  std::mt19937_64 random(TestSeed());
  constexpr uint32_t kLargest = 8192;
  struct Flying {
    Lane lane;
    uint32_t bytes;
    Passage passage;
  };
  std::vector<Flying> flying;
  uint64_t sent = 0;
  uint64_t arrived = 0;
  uint64_t now_ns = 0;
  for (int i = 0; i < kRounds / 5; ++i) {
    const int burst = random() % 16 == 0 ? 64 : 1;
    for (int k = 0; k < burst; ++k) {
      Flying f{Lane{uint8_t(random() % kLaneCount)}, 1 + uint32_t(random() % kLargest), {}};
      f.passage = link_.Send(kRead, f.lane, f.bytes, now_ns);
      sent += f.bytes;
      flying.push_back(f);
    }
    for (uint64_t until = now_ns + random() % 30'000; now_ns < until; now_ns += 500) {
      std::erase_if(flying, [&](Flying& f) {
        if (!link_.Arrived(kRead, f.lane, f.passage, now_ns)) return false;
        arrived += f.bytes;
        return true;
      });
      // A byte that has arrived left the wire a latency ago, and each lane may slip by a transfer.
      const uint64_t wire_ns = now_ns - std::min(now_ns, kLink.read_latency_ns);
      ASSERT_LE(arrived, wire_ns + kLaneCount * kLargest);
    }
  }
  // Everything left is sent without a gap.
  const uint64_t end_ns = now_ns + (sent - arrived) + kLink.read_latency_ns + kLargest;
  for (Flying& f : flying) {
    EXPECT_TRUE(link_.Arrived(kRead, f.lane, f.passage, end_ns));
    arrived += f.bytes;
  }
  EXPECT_EQ(arrived, sent);
}

TEST_F(LinkModelTest, ThreadsThatSendAtTheSameTimeShareTheBandwidth) {
  constexpr uint32_t kEach = 1000;
  const auto send = [&](Lane lane) {
    for (uint32_t i = 0; i < kEach; ++i) link_.Send(kRead, lane, 100, 0);
  };
  std::thread other([&] { send(Lane::kDemand); });
  send(Lane::kTrace);
  other.join();
  // The lowest lane comes after everything.
  EXPECT_GE(DueRead(Lane::kWriteBack, 100, 0), 2 * kEach * 100 + 3000);
}

TEST(LinkPresets, AreThoseOfTheDesign) {
  std::vector<std::string> names;
  for (const LinkPreset& preset : LinkPresets()) names.push_back(preset.name);
  EXPECT_THAT(names, testing::ElementsAre("rdma100", "rdma40", "rdma40-share", "tcp", "none"));
}

}  // namespace
}  // namespace tandem::rdma
