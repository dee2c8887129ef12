#include "runtime/swap/road_choice.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>

namespace tandem::swap {
namespace {

constexpr size_t kBatch = 16;

// Pages that come and leave one for one, at what each road costs.
class RoadChoiceTest : public ::testing::Test {
 protected:
  void Run(size_t pages) {
    for (size_t left = 0; left < pages; left += kBatch) {
      for (size_t i = 0; i < kBatch; ++i) {
        const bool move = roads_.move();
        ++used_[move];
        roads_.NoteIn(move, in_[move]);
      }
      const bool move = roads_.move();
      roads_.NoteOut(move, kBatch * out_[move], kBatch);
    }
  }
  void Forget() { used_[false] = used_[true] = 0; }

  RoadChoice roads_{true};
  uint64_t in_[2] = {1000, 1500};  // by whether pages are moved
  uint64_t out_[2] = {1000, 1500};
  size_t used_[2] = {};
};

// Until the other road has been tried for the first time.
constexpr size_t kFirst = RoadChoice::kWindow + RoadChoice::kWarmUp + RoadChoice::kTrial + kBatch;

TEST_F(RoadChoiceTest, BeginsByCopying) {
  EXPECT_FALSE(roads_.move());
  Run(RoadChoice::kWindow - kBatch);
  EXPECT_EQ(used_[true], 0u);
}

TEST_F(RoadChoiceTest, FindsWhatIsCheaperBothWaysTogether) {
  Run(kFirst);
  EXPECT_FALSE(roads_.move());  // 2000 against 3000
  in_[true] = 500;
  Run(3 * RoadChoice::kOften);
  EXPECT_FALSE(roads_.move());  // against 2000
  out_[true] = 1000;
  Run(3 * RoadChoice::kOften);
  Forget();
  Run(10 * RoadChoice::kOften);
  EXPECT_TRUE(roads_.move());  // against 1500
  EXPECT_GT(used_[true], 9 * used_[false]);
  in_[false] = 600;
  Run(3 * RoadChoice::kOften);
  EXPECT_FALSE(roads_.move());  // 1600 against 1500: less than an eighth
}

TEST_F(RoadChoiceTest, TheBeginningOfATrialDoesNotCount) {
  out_[true] = in_[true] = 2000;
  Run(RoadChoice::kWindow);
  ASSERT_TRUE(roads_.move());
  Run(RoadChoice::kWarmUp);
  out_[true] = in_[true] = 500;
  Run(RoadChoice::kTrial + kBatch);
  Forget();
  Run(RoadChoice::kWindow);
  EXPECT_EQ(used_[false], 0u);
}

TEST_F(RoadChoiceTest, EndsATrialThatIsFarDearerAndTriesSeldom) {
  in_[true] = 30'000;
  out_[true] = 4000;
  Run(RoadChoice::kSeldom);
  EXPECT_FALSE(roads_.move());
  EXPECT_GT(used_[true], 0u);
  EXPECT_LE(used_[true], 2 * kBatch);
  Forget();
  Run(10 * RoadChoice::kSeldom);
  EXPECT_GT(used_[true], 0u);
  EXPECT_LE(used_[true], 20 * kBatch);
}

TEST_F(RoadChoiceTest, LeavesMovingAtOnceWhenItHasBecomeFarDearer) {
  in_[true] = out_[true] = 500;
  Run(RoadChoice::kOften);
  EXPECT_TRUE(roads_.move());
  in_[true] = 30'000;  // another thread has begun to run
  Forget();
  Run(RoadChoice::kOften);
  EXPECT_FALSE(roads_.move());
  EXPECT_LE(used_[true], 2 * RoadChoice::kWindow);
}

TEST_F(RoadChoiceTest, AThreadThatHasLostItsProcessorOnceChangesNothing) {
  in_[true] = out_[true] = 500;
  Run(RoadChoice::kOften);
  ASSERT_TRUE(roads_.move());
  Run(2 * RoadChoice::kTrial + kFirst);  // past the next one
  ASSERT_TRUE(roads_.move());
  roads_.NoteIn(true, 20'000'000);
  Forget();
  Run(2 * RoadChoice::kWindow);
  EXPECT_EQ(used_[false], 0u);
}

TEST_F(RoadChoiceTest, IsPacedByPagesThatLeaveOneByOneToo) {
  in_[true] = out_[true] = 500;
  for (int i = 0; i < 5000; ++i) {
    roads_.NoteIn(roads_.move(), in_[roads_.move()]);
    roads_.NoteOut(roads_.move(), out_[roads_.move()], 1);
  }
  EXPECT_TRUE(roads_.move());
}

TEST_F(RoadChoiceTest, StaysWhereItIsIfNothingComesPageByPage) {
  for (int i = 0; i < 5000; ++i) {
    roads_.NoteOut(roads_.move(), kBatch * 1000, kBatch);
    EXPECT_FALSE(roads_.move());
  }
}

TEST_F(RoadChoiceTest, MovesLongRunsAsLongAsNothingIsKnown) {
  for (int i = 0; i < 1000; ++i) {
    EXPECT_TRUE(roads_.MovesRun(RoadChoice::kLongRun));
    EXPECT_FALSE(roads_.MovesRun(RoadChoice::kLongRun - 1));
    roads_.NoteNeighboursOut(16);
  }
  EXPECT_FALSE(roads_.move());
}

TEST_F(RoadChoiceTest, ATrialEndsThoughNothingComesPageByPage) {
  in_[true] = out_[true] = 900;
  Run(RoadChoice::kWindow);
  ASSERT_TRUE(roads_.move());
  int batches = 0;
  while (roads_.move() && batches < 100) {
    roads_.NoteOut(true, kBatch * 900, kBatch);
    ++batches;
  }
  EXPECT_LE(batches * kBatch, RoadChoice::kWarmUp + 4 * RoadChoice::kTrial + kBatch);
}

TEST_F(RoadChoiceTest, MovingIsLeftAlsoIfPagesComeInRunsOnly) {
  in_[true] = out_[true] = 500;
  Run(RoadChoice::kOften);
  ASSERT_TRUE(roads_.move());
  for (size_t left = 0; left < 2 * RoadChoice::kWindow; left += kBatch) {
    roads_.NoteOut(roads_.move(), kBatch * 20'000, kBatch);
  }
  EXPECT_FALSE(roads_.move());
}

TEST_F(RoadChoiceTest, MovesARunIfOneStepIsCheaperThanToCopyEachPage) {
  Run(kFirst);
  EXPECT_FALSE(roads_.move());
  EXPECT_FALSE(roads_.MovesRun(1));
  EXPECT_TRUE(roads_.MovesRun(2));
}

TEST(RoadChoiceWithoutMovingTest, Copies) {
  RoadChoice roads(false);
  EXPECT_FALSE(roads.can_move());
  for (int i = 0; i < 1000; ++i) {
    EXPECT_FALSE(roads.move());
    EXPECT_FALSE(roads.MovesRun(64));
    roads.NoteIn(false, 1000);
    roads.NoteOut(false, kBatch * 1000, kBatch);
  }
}

}  // namespace
}  // namespace tandem::swap
