#include "rdma/fault_injector.h"

#include <gtest/gtest.h>

#include <cstring>

namespace tandem::rdma {
namespace {

TEST(FaultInjector, WithoutAPlanNothingGoesWrong) {
  FaultInjector injector({}, 0);
  for (int i = 0; i < 1000; ++i) EXPECT_FALSE(injector.Draw(Direction::kRead));
}

TEST(FaultInjector, CertainFaultsAlwaysHappen) {
  FaultInjector loses({.loss = 1}, 0);
  FaultInjector delays({.delay = 1}, 0);
  FaultInjector damages({.damage = 1}, 0);
  for (int i = 0; i < 1000; ++i) {
    EXPECT_TRUE(loses.Draw(Direction::kWrite).lost);
    EXPECT_TRUE(delays.Draw(Direction::kWrite).delayed);
    EXPECT_NE(damages.Draw(Direction::kRead).damage_mask, 0);
    EXPECT_EQ(damages.Draw(Direction::kWrite).damage_mask, 0) << "only reads are damaged";
  }
}

TEST(FaultInjector, FaultsAreAboutAsFrequentAsPlanned) {
  FaultInjector injector({.loss = 0.1, .delay = 0.2, .damage = 0.3, .seed = 7}, 3);
  int lost = 0, delayed = 0, damaged = 0;
  for (int i = 0; i < 10'000; ++i) {
    const Fault fault = injector.Draw(Direction::kRead);
    lost += fault.lost;
    delayed += fault.delayed;
    damaged += fault.damage_mask != 0;
  }
  EXPECT_NEAR(lost, 1000, 150);
  EXPECT_NEAR(delayed, 1800, 200);
  EXPECT_NEAR(damaged, 2700, 250);
}

TEST(FaultInjector, TheSameSeedAndChannelGiveTheSameFaults) {
  const FaultPlan plan{.loss = 0.5, .seed = 11};
  FaultInjector a(plan, 1), b(plan, 1), other_channel(plan, 2);
  FaultInjector other_seed({.loss = 0.5, .seed = 12}, 1);
  int differing_channel = 0, differing_seed = 0;
  for (int i = 0; i < 1000; ++i) {
    const bool lost = a.Draw(Direction::kRead).lost;
    EXPECT_EQ(lost, b.Draw(Direction::kRead).lost);
    differing_channel += lost != other_channel.Draw(Direction::kRead).lost;
    differing_seed += lost != other_seed.Draw(Direction::kRead).lost;
  }
  EXPECT_GT(differing_channel, 300);
  EXPECT_GT(differing_seed, 300);
}

TEST(FaultInjector, DamageChangesExactlyOneByte) {
  FaultInjector injector({.damage = 1}, 0);
  for (size_t bytes : {1, 7, 4096}) {
    unsigned char page[4096] = {};
    FaultInjector::Damage(injector.Draw(Direction::kRead), page, bytes);
    size_t changed = 0;
    for (size_t i = 0; i < sizeof page; ++i) changed += page[i] != 0;
    EXPECT_EQ(changed, 1u);
  }
  FaultInjector::Damage(injector.Draw(Direction::kRead), nullptr, 0);
}

}  // namespace
}  // namespace tandem::rdma
