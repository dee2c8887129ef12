// The examples of docs/policies.md, as they stand there.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "local_first_order.h"
#include "next_page.h"
#include "round_robin.h"
#include "tests/tracer/paper_surroundings.h"

namespace tandem {
namespace {

using ::testing::ElementsAre;

TEST(PoliciesPage, ItsOrderTracesLocalObjectsFirst) {
  using tracer::testing::PaperSurroundings;
  PaperSurroundings around;
  around.far = {2, 3};
  tracer::LocalFirstOrder order(around);
  const std::vector<uintptr_t> references = {PaperSurroundings::At(1), PaperSurroundings::At(2),
                                             PaperSurroundings::At(3), PaperSurroundings::At(4)};
  order.Push(references, 0);
  std::vector<swap::PageIndex> pages;
  std::array<tracer::Grey, 1> out;
  while (order.Pop(out) == 1) pages.push_back(around.PageOf(out[0].reference()));
  EXPECT_THAT(pages, ElementsAre(4, 1, 3, 2));
  EXPECT_EQ(order.size(), 0u);
}

TEST(PoliciesPage, ItsPrefetcherNamesTheNextPage) {
  prefetch::NextPage prefetcher;
  std::array<prefetch::Page, prefetch::Prefetcher::kMaxPages> out;
  ASSERT_EQ(prefetcher.OnAccess({.page = 7}, out), 1u);
  EXPECT_EQ(out[0], 8);
}

TEST(PoliciesPage, ItsReplacementPolicyGoesRound) {
  auto heap = std::move(
      base::OsMemory::Reserve(size_t{1} << 24, swap::PageTable::kAlignment, "the test").value());
  auto table = std::move(swap::PageTable::Create(heap.address(), 8).value());
  table->Extend(8);
  for (swap::PageIndex page = 0; page < 6; ++page) table->state(page).store(swap::kLocal);
  table->pins(1).store(1);
  swap::RoundRobin policy;
  std::array<swap::Victim, 3> victims;
  ASSERT_EQ(policy.Select(*table, victims), 3u);
  EXPECT_EQ(victims[0].page, 0u);
  EXPECT_EQ(victims[1].page, 2u);  // page 1 is pinned
  EXPECT_EQ(victims[2].page, 3u);
  EXPECT_EQ(table->state(2).load(), swap::kLeaving);
  EXPECT_EQ(policy.Select(*table, victims), 2u);
}

}  // namespace
}  // namespace tandem
