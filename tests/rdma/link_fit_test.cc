#include "rdma/link_fit.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <random>
#include <vector>

#include "rdma/emulated_fabric.h"

namespace tandem::rdma {
namespace {

constexpr uint32_t kSizes[] = {64, 4096, 16384, 65536};

// What a perfect measurement of a link would be: alone, latency and wire; many at a time, whatever
// is slower of the wire and of as many as may be in flight.
std::vector<LinkSample> Perfect(const LinkFit& truth, uint32_t depth, double own_ns = 0,
                                double error = 0) {
  std::mt19937_64 random(17);
  std::uniform_real_distribution<double> noise(1 - error, 1 + error);
  std::vector<LinkSample> samples;
  for (const Direction direction : {Direction::kRead, Direction::kWrite}) {
    for (const uint32_t bytes : kSizes) {
      const double wire_ns =
          static_cast<double>(truth.operation_ns) +
          (truth.bandwidth_mb_s == 0 ? 0 : 1000.0 * bytes / truth.bandwidth_mb_s);
      const uint64_t latency_ns =
          direction == Direction::kRead ? truth.read_latency_ns : truth.write_latency_ns;
      const double alone_ns = own_ns + static_cast<double>(latency_ns) + wire_ns;
      for (uint32_t d = 1; d <= depth; d *= 2) {
        const double interval_ns = std::max(wire_ns, alone_ns / d);
        samples.push_back({.direction = direction,
                           .bytes = bytes,
                           .depth = d,
                           .latency_ns = interval_ns * d * noise(random),
                           .interval_ns = interval_ns * noise(random)});
      }
    }
  }
  return samples;
}

void ExpectNear(const LinkFit& fit, const LinkFit& truth, double share) {
  const auto near = [&](double a, double b) { EXPECT_NEAR(a, b, 1 + share * b); };
  near(static_cast<double>(fit.read_latency_ns), static_cast<double>(truth.read_latency_ns));
  near(static_cast<double>(fit.write_latency_ns), static_cast<double>(truth.write_latency_ns));
  near(static_cast<double>(fit.operation_ns), static_cast<double>(truth.operation_ns));
  near(fit.bandwidth_mb_s, truth.bandwidth_mb_s);
}

const LinkFit kLinks[] = {
    {.read_latency_ns = 3000, .write_latency_ns = 1600, .bandwidth_mb_s = 4500},
    {.read_latency_ns = 2400, .write_latency_ns = 1250, .bandwidth_mb_s = 10700},
    {.read_latency_ns = 12000,
     .write_latency_ns = 9000,
     .operation_ns = 8000,
     .bandwidth_mb_s = 2600},
    {.read_latency_ns = 30000, .write_latency_ns = 30000, .bandwidth_mb_s = 1100},
    {.read_latency_ns = 0, .write_latency_ns = 500, .operation_ns = 1500, .bandwidth_mb_s = 0},
};

TEST(LinkFit, GivesBackTheLinkThatWasMeasured) {
  for (const LinkFit& truth : kLinks) {
    ExpectNear(FitLink(Perfect(truth, 32), {}), truth, 0.005);
  }
}

TEST(LinkFit, TakesOffWhatTheEmulatorTakesItself) {
  const LinkFit nothing;
  for (const LinkFit& truth : kLinks) {
    ExpectNear(FitLink(Perfect(truth, 32, 700), Perfect(nothing, 32, 700)), truth, 0.005);
  }
}

TEST(LinkFit, BearsErrorsOfMeasurement) {
  const LinkFit truth = kLinks[2];
  ExpectNear(FitLink(Perfect(truth, 32, 0, 0.03), {}), truth, 0.15);
}

// Depth 2 cannot fill this link at any size; what there is to learn of it is in the latencies.
TEST(LinkFit, ALinkThatWasNotFilledIsJudgedByLatenciesAlone) {
  const LinkFit truth{
      .read_latency_ns = 1'000'000, .write_latency_ns = 500'000, .bandwidth_mb_s = 4500};
  ExpectNear(FitLink(Perfect(truth, 2), {}), truth, 0.01);
}

TEST(LinkFit, OneSizeIsTakenToCostWhatItsBytesCost) {
  std::vector<LinkSample> pages;
  for (const LinkSample& sample : Perfect(kLinks[2], 32)) {
    if (sample.bytes == 4096) pages.push_back(sample);
  }
  const LinkFit fit = FitLink(pages, {});
  EXPECT_EQ(fit.operation_ns, 0u);
  EXPECT_EQ(fit.read_latency_ns, 12000u);
  const double page_ns = 8000 + 4096 / 2.6;
  EXPECT_NEAR(1000 * 4096 / fit.bandwidth_mb_s, page_ns, page_ns / 100);
}

TEST(LinkFit, NoWireIsSlowerThanWhatWentOverIt) {
  // The smallest transfers met with another program that took the processor: milliseconds.
  std::vector<LinkSample> measured = Perfect(kLinks[0], 32);
  for (LinkSample& sample : measured) {
    if (sample.bytes == 64) sample.interval_ns = sample.latency_ns = 3e6;
  }
  const LinkFit fit = FitLink(measured, {});
  const uint64_t page_ns =
      fit.operation_ns + static_cast<uint64_t>(4096 * 1000 / fit.bandwidth_mb_s);
  EXPECT_GT(fit.bandwidth_mb_s, 0);
  EXPECT_LT(page_ns, 4'000u);
  // Only they seem to have filled the wire.
  std::erase_if(measured,
                [](const LinkSample& sample) { return sample.bytes != 64 && sample.depth > 1; });
  EXPECT_GT(FitLink(measured, {}).bandwidth_mb_s, 500);
}

TEST(LinkFit, NothingMeasuredOrNothingSensibleFitsNothing) {
  EXPECT_EQ(FitLink({}, {}).Options(), LinkFit().Options());
  const std::vector<LinkSample> zeroes = {{.bytes = 4096, .depth = 1},
                                          {.bytes = 4096, .depth = 32}};
  EXPECT_EQ(FitLink(zeroes, {}).Options(), LinkFit().Options());
  // Quicker than the emulator itself.
  const LinkFit quick = FitLink(Perfect({.read_latency_ns = 100}, 32), Perfect({}, 32, 900));
  EXPECT_EQ(quick.read_latency_ns, 0u);
}

TEST(LinkFit, ItsOptionsAreThoseOfTheEmulator) {
  for (const LinkFit& link : kLinks) {
    const auto options = EmulatedOptions::Parse("none," + link.Options());
    ASSERT_TRUE(options.ok()) << options.status().message();
    EXPECT_EQ(options.value().read_latency_ns, link.read_latency_ns);
    EXPECT_EQ(options.value().write_latency_ns, link.write_latency_ns);
    EXPECT_EQ(options.value().operation_ns, link.operation_ns);
    EXPECT_EQ(options.value().bandwidth_mb_s, link.bandwidth_mb_s);
  }
}

}  // namespace
}  // namespace tandem::rdma
