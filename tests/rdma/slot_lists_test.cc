#include "rdma/slot_lists.h"

#include <gmock/gmock.h>

#include <cstdint>
#include <vector>

namespace tandem::rdma {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

struct Slot {
  int value = 0;
  SlotLinks links;
};

class SlotListsTest : public ::testing::Test {
 protected:
  std::vector<uint32_t> InList(size_t list) const {
    std::vector<uint32_t> found;
    for (uint32_t i = lists_.First(list); i != kNoSlot; i = lists_.Next(i)) {
      EXPECT_EQ(lists_.ListOf(i), list);
      found.push_back(i);
    }
    return found;
  }

  SlotLists<Slot, 3> lists_{5, 2};
};

TEST_F(SlotListsTest, AllBeginInOneListInOrder) {
  EXPECT_EQ(lists_.size(), 5u);
  EXPECT_THAT(InList(0), IsEmpty());
  EXPECT_THAT(InList(2), ElementsAre(0, 1, 2, 3, 4));
}

TEST_F(SlotListsTest, SlotsGoFromAnywhereToTheEndOfAnyList) {
  lists_.Move(2, 0);  // from the middle
  lists_.Move(0, 0);  // from the front
  lists_.Move(4, 1);  // from the end
  EXPECT_THAT(InList(0), ElementsAre(2, 0));
  EXPECT_THAT(InList(1), ElementsAre(4));
  EXPECT_THAT(InList(2), ElementsAre(1, 3));
  lists_.Move(2, 0);  // its own
  lists_.Move(4, 2);  // the last of its list
  EXPECT_THAT(InList(0), ElementsAre(0, 2));
  EXPECT_THAT(InList(1), IsEmpty());
  EXPECT_THAT(InList(2), ElementsAre(1, 3, 4));
}

}  // namespace
}  // namespace tandem::rdma
