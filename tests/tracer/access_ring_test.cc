#include "runtime/tracer/access_ring.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <vector>

namespace tandem::tracer {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<uintptr_t> Take(AccessRing& ring, size_t most) {
  std::vector<uintptr_t> taken(most);
  taken.resize(ring.Take(taken));
  return taken;
}

TEST(AccessRing, WhatDoesNotFitIsThereTheNextTime) {
  const auto ring = std::make_unique<AccessRing>();
  for (uintptr_t i = 1; i <= 5; ++i) ring->Push(i);
  EXPECT_THAT(Take(*ring, 2), ElementsAre(1, 2));
  ring->Push(6);
  EXPECT_THAT(Take(*ring, 3), ElementsAre(3, 4, 5));
  EXPECT_THAT(Take(*ring, 3), ElementsAre(6));
  EXPECT_THAT(Take(*ring, 3), IsEmpty());
}

TEST(AccessRing, TheOldestAreOverwrittenOnceItIsFull) {
  const auto ring = std::make_unique<AccessRing>();
  for (uintptr_t i = 0; i < AccessRing::kCapacity + 10; ++i) ring->Push(i);
  uintptr_t expected = 10;
  for (auto taken = Take(*ring, 100); !taken.empty(); taken = Take(*ring, 100)) {
    for (const uintptr_t address : taken) EXPECT_EQ(address, expected++);
  }
  EXPECT_EQ(expected, AccessRing::kCapacity + 10);
}

TEST(AccessRing, CanBeMadeSmaller) {
  const auto ring = std::make_unique<AccessRing>();
  ring->Resize(3);
  for (uintptr_t i = 0; i < 8; ++i) ring->Push(i);
  EXPECT_THAT(Take(*ring, 2), ElementsAre(5, 6));
  EXPECT_THAT(Take(*ring, 2), ElementsAre(7));
  ring->Resize(AccessRing::kCapacity);
  for (uintptr_t i = 0; i < 5; ++i) ring->Push(i);
  EXPECT_THAT(Take(*ring, 9), ElementsAre(0, 1, 2, 3, 4));
}

TEST(AccessRing, ForgetsWhatWasWrittenSoFar) {
  const auto ring = std::make_unique<AccessRing>();
  for (uintptr_t i = 0; i < 5; ++i) ring->Push(i);
  ring->Clear();
  ring->Push(9);
  EXPECT_THAT(Take(*ring, 10), ElementsAre(9));
}

}  // namespace
}  // namespace tandem::tracer
