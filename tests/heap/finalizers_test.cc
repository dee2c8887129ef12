#include "runtime/heap/finalizers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace tandem::heap {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class FinalizersTest : public ::testing::Test {
 protected:
  // A cycle in which only the references above `live_from` are live; returns what it kept.
  std::vector<uintptr_t> Cycle(uintptr_t live_from) {
    std::vector<uintptr_t> kept;
    finalizers_.MoveDead([&](uintptr_t reference) { return reference >= live_from; },
                         [&](uintptr_t reference) { kept.push_back(reference); });
    return kept;
  }
  std::vector<uintptr_t> Ready() {
    std::vector<uintptr_t> ready;
    finalizers_.ForEachReady([&](uintptr_t reference) { ready.push_back(reference); });
    return ready;
  }
  uintptr_t Pop() {
    uintptr_t held = 0;
    const uintptr_t popped = finalizers_.Pop([&](uintptr_t reference) {
      // Still in the queue of roots while the caller takes hold of it.
      EXPECT_EQ(held, 0u);
      held = reference;
    });
    EXPECT_EQ(held, popped);
    return popped;
  }

  Finalizers finalizers_;
};

TEST_F(FinalizersTest, WatchesWhatIsAlive) {
  finalizers_.Watch(10);
  finalizers_.Watch(20);
  EXPECT_THAT(Cycle(0), IsEmpty());
  EXPECT_THAT(Ready(), IsEmpty());
  EXPECT_EQ(Pop(), 0u);
}

TEST_F(FinalizersTest, WhatDiesIsKeptAndWaitsForItsDestructor) {
  for (const uintptr_t reference : {10, 20, 30}) finalizers_.Watch(reference);
  EXPECT_THAT(Cycle(25), ElementsAre(10, 20));
  EXPECT_THAT(Ready(), ElementsAre(10, 20));
  EXPECT_EQ(finalizers_.ready(), 2u);
  EXPECT_EQ(Pop(), 10u);
  EXPECT_THAT(Ready(), ElementsAre(20));
  EXPECT_THAT(Cycle(100), ElementsAre(30));  // 20 is not found dead again
  EXPECT_EQ(Pop(), 20u);
  EXPECT_EQ(Pop(), 30u);
  EXPECT_EQ(Pop(), 0u);
}

TEST_F(FinalizersTest, NothingIsFinalizedTwice) {
  finalizers_.Watch(10);
  EXPECT_THAT(Cycle(100), ElementsAre(10));
  EXPECT_EQ(Pop(), 10u);
  EXPECT_THAT(Cycle(100), IsEmpty());
}

}  // namespace
}  // namespace tandem::heap
