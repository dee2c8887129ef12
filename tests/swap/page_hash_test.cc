#include "runtime/swap/page_hash.h"

#include <gtest/gtest.h>

#include <array>
#include <set>

namespace tandem::swap {
namespace {

using Page = std::array<std::byte, base::kPageSize>;

TEST(PageHash, IsNeverOneOfTheTwoSpecialValues) {
  Page page{};
  for (size_t i = 0; i < 1000; ++i) {
    page[i] = static_cast<std::byte>(i + 1);
    EXPECT_GT(HashPage(page.data()), kDeadContent);
  }
}

TEST(PageHash, TellsPagesThatDifferInOneBitApart) {
  Page page{};
  std::set<uint64_t> seen{HashPage(page.data())};
  for (size_t bit = 0; bit < 8 * base::kPageSize; bit += 37) {
    page[bit / 8] ^= std::byte{1} << (bit % 8);
    EXPECT_TRUE(seen.insert(HashPage(page.data())).second) << bit;
    page[bit / 8] ^= std::byte{1} << (bit % 8);
  }
  EXPECT_EQ(HashPage(page.data()), HashPage(Page{}.data()));
}

}  // namespace
}  // namespace tandem::swap
