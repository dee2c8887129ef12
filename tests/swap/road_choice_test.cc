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

TEST_F(RoadChoiceTest, BeginsByMovingAndFindsWhatIsCheaperBothWaysTogether) {
  EXPECT_TRUE(roads_.move());
  Run(RoadChoice::kFirst + 2 * RoadChoice::kTrial);
  EXPECT_FALSE(roads_.move());
  in_[false] = 1800;  // no longer: 2800 against 3000
  Run(3 * RoadChoice::kOften);
  EXPECT_FALSE(roads_.move());
  out_[true] = 1000;  // 2500
  Run(3 * RoadChoice::kOften);
  Forget();
  Run(10 * RoadChoice::kOften);
  EXPECT_GT(used_[true], 9 * used_[false]);
}

TEST_F(RoadChoiceTest, TriesWhatIsFarDearerSeldom) {
  in_[true] = 30'000;
  out_[true] = 4000;
  Run(RoadChoice::kSeldom);
  EXPECT_FALSE(roads_.move());
  Forget();
  Run(10 * RoadChoice::kSeldom);
  EXPECT_LE(used_[true], 10 * (RoadChoice::kTrial + kBatch));
  EXPECT_GT(used_[true], 0u);
}

TEST_F(RoadChoiceTest, LeavesARoadAtOnceThatHasBecomeFarDearer) {
  in_[true] = out_[true] = 500;
  Run(RoadChoice::kOften);
  EXPECT_TRUE(roads_.move());
  in_[true] = 30'000;  // another thread has begun to run
  Forget();
  Run(RoadChoice::kOften);
  EXPECT_FALSE(roads_.move());
  EXPECT_LT(used_[true], 2 * RoadChoice::kFirst);
}

TEST_F(RoadChoiceTest, IsPacedByPagesThatLeaveOneByOneToo) {
  for (int i = 0; i < 5000; ++i) {
    roads_.NoteIn(roads_.move(), in_[roads_.move()]);
    roads_.NoteOut(roads_.move(), out_[roads_.move()], 1);
  }
  EXPECT_FALSE(roads_.move());
}

TEST_F(RoadChoiceTest, StaysWhereItIsIfATrialTellsNothing) {
  Run(RoadChoice::kOften);
  in_[false] = 5000;
  Run(2 * RoadChoice::kOften);
  ASSERT_TRUE(roads_.move());
  // Nothing comes page by page any more.
  for (int i = 0; i < 1000; ++i) roads_.NoteOut(roads_.move(), kBatch * 1000, kBatch);
  size_t moved = 0;
  for (int i = 0; i < 1000; ++i) {
    roads_.NoteOut(roads_.move(), kBatch * 1000, kBatch);
    moved += roads_.move();
  }
  EXPECT_GT(moved, 900u);
}

TEST_F(RoadChoiceTest, MovesRunsAsLongAsCopyingIsUnknown) {
  EXPECT_TRUE(roads_.MovesRun(16));
  roads_.NoteIn(true, 1000);
  EXPECT_TRUE(roads_.MovesRun(16));
  int moved = 0;
  for (int i = 0; i < 1000; ++i) {
    moved += roads_.MovesRun(16);
    roads_.NoteNeighboursOut(16);
  }
  EXPECT_GT(moved, 900);  // but for trials
}

TEST_F(RoadChoiceTest, MovesARunIfOneStepIsCheaperThanToCopyEachPage) {
  Run(RoadChoice::kOften);
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
