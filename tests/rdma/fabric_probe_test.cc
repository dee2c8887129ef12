#include "rdma/fabric_probe.h"

#include <gmock/gmock.h>

namespace tandem::rdma {
namespace {

using testing::HasSubstr;

constexpr uint64_t kShortNs = 2'000'000;

std::unique_ptr<Fabric> Open(const char* url) { return std::move(Fabric::Open(url).value()); }

// A transfer cannot be quicker than the model allows, however slow the machine is.
TEST(FabricProbe, MeasuresAtLeastTheLatencyThatTheModelHas) {
  const auto fabric = Open("emulated:none,read_latency_ns=20000,write_latency_ns=50000");
  const auto probe = std::move(FabricProbe::Open(*fabric).value());
  EXPECT_EQ(probe->depth(), FabricProbe::kMaxDepth);
  for (const uint32_t depth : {1u, 8u}) {
    const auto read = probe->Measure(Direction::kRead, 4096, depth, kShortNs).value();
    ASSERT_TRUE(read.has_value());
    EXPECT_GE(read->median.latency_ns, 20000);
    EXPECT_GE(read->p99_ns, read->median.latency_ns);
    EXPECT_EQ(read->median.depth, depth);
    EXPECT_EQ(read->median.bytes, 4096u);
    EXPECT_GT(read->transfers, 0u);
    EXPECT_GT(read->median.interval_ns, 0);
    const auto write = probe->Measure(Direction::kWrite, 64, depth, kShortNs).value();
    EXPECT_GE(write->median.latency_ns, 50000);
    EXPECT_EQ(write->median.direction, Direction::kWrite);
  }
}

TEST(FabricProbe, KeepsNoMoreInFlightThanAChannelTakes) {
  const auto fabric = Open("emulated:none,depth=3");
  const auto probe = std::move(FabricProbe::Open(*fabric).value());
  EXPECT_EQ(probe->depth(), 3u);
  EXPECT_TRUE(probe->Measure(Direction::kRead, 4096, 3, kShortNs).ok());
}

TEST(FabricProbe, OneTransferThatTakesLongerThanTheMeasurementIsEnough) {
  const auto fabric = Open("emulated:none,latency_ns=5000000");
  const auto probe = std::move(FabricProbe::Open(*fabric).value());
  const auto read = probe->Measure(Direction::kRead, 4096, 1, 1).value();
  EXPECT_GE(read->median.latency_ns, 5e6);
}

TEST(FabricProbe, ASizeThatTheFabricDoesNotMoveIsNoError) {
  const auto fabric = Open("sealed:emulated:none");
  const auto probe = std::move(FabricProbe::Open(*fabric).value());
  EXPECT_FALSE(probe->Measure(Direction::kRead, 64, 4, kShortNs).value().has_value());
  EXPECT_TRUE(probe->Measure(Direction::kRead, 4096, 4, kShortNs).value().has_value());
}

TEST(FabricProbe, TransfersThatAreLostHoldItUpNoLongerThanTheirTimeOut) {
  const auto fabric = Open("emulated:none,loss=0.1,timeout_ms=1");
  const auto probe = std::move(FabricProbe::Open(*fabric).value());
  EXPECT_TRUE(probe->Measure(Direction::kRead, 4096, 4, kShortNs).ok());
}

// Its end has come when the only transfers are given up.
TEST(FabricProbe, TransfersThatAreLostLastAreRepeated) {
  const auto fabric = Open("emulated:none,loss=0.5,timeout_ms=1");
  const auto probe = std::move(FabricProbe::Open(*fabric).value());
  for (int i = 0; i < 20; ++i) {
    const auto read = probe->Measure(Direction::kRead, 4096, 1, 1).value();
    EXPECT_GT(read->transfers, 0u);
  }
}

TEST(FabricProbe, AFabricThatAnswersNothingIsAnError) {
  const auto fabric = Open("emulated:none,loss=1,timeout_ms=1");
  const Status status = FabricProbe::Open(*fabric).status();
  EXPECT_EQ(status.code(), StatusCode::kUnavailable);
  EXPECT_THAT(status.message(), HasSubstr("emulated:none,"));
}

TEST(FabricProbe, AServerThatDiesIsAnError) {
  const auto fabric = Open("emulated:none,die_after=5000");
  const auto probe = std::move(FabricProbe::Open(*fabric).value());
  const Status status = probe->Measure(Direction::kRead, 4096, 4, 10'000'000'000).status();
  EXPECT_EQ(status.code(), StatusCode::kUnavailable);
  EXPECT_THAT(status.message(), HasSubstr("is gone"));
}

}  // namespace
}  // namespace tandem::rdma
