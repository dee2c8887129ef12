#include "runtime/swap/page_table.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <utility>

#include "tandem/internal/barrier.h"

namespace tandem::swap {
namespace {

constexpr size_t kPages = 10000;

class PageTableTest : public ::testing::Test {
 protected:
  static base::OsMemory ReserveHeap() {
    auto memory =
        base::OsMemory::Reserve(base::RoundUp(kPages * base::kPageSize, PageTable::kAlignment),
                                PageTable::kAlignment, "a test's heap", PROT_NONE);
    return std::move(memory.value());
  }
  static std::unique_ptr<PageTable> MakeTable(const base::OsMemory& heap) {
    return std::move(PageTable::Create(heap.address(), kPages).value());
  }
  // As the barriers see it.
  static PageState StateByte(uintptr_t address) {
    return internal::g_page_states[address >> internal::kPageShift].load();
  }
};

TEST_F(PageTableTest, PagesBecomeFreshWhenTheyAreGivenToTheHeap) {
  const base::OsMemory heap = ReserveHeap();
  const auto table = MakeTable(heap);
  EXPECT_EQ(table->used(), 0u);
  table->Extend(100);
  EXPECT_EQ(table->used(), 100u);
  for (PageIndex page = 0; page < 100; ++page) {
    EXPECT_EQ(table->state(page).load(), kFar | kFresh);
    EXPECT_EQ(table->hash(page).load(), kNoFarCopy);
    EXPECT_EQ(table->slot(page).load(), 0u);
    EXPECT_EQ(table->pins(page).load(), 0u);
  }
  EXPECT_EQ(table->state(100).load(), 0u);
}

TEST_F(PageTableTest, ExtendingAgainLeavesPagesInUseAlone) {
  const base::OsMemory heap = ReserveHeap();
  const auto table = MakeTable(heap);
  table->Extend(10);
  table->state(9).store(kLocal);
  table->Extend(20);
  EXPECT_EQ(table->state(9).load(), kLocal);
  EXPECT_EQ(table->state(10).load(), kFar | kFresh);
  table->Extend(5);  // not below what is in use
  EXPECT_EQ(table->used(), 20u);
}

TEST_F(PageTableTest, TheStatesAreTheBytesThatBarriersTest) {
  const base::OsMemory heap = ReserveHeap();
  const auto table = MakeTable(heap);
  table->Extend(kPages);
  for (PageIndex page : {PageIndex{0}, PageIndex{1}, PageIndex{4096}, PageIndex{kPages - 1}}) {
    table->state(page).store(kLocal | kUntouched);
    EXPECT_EQ(StateByte(table->AddressOf(page)), kLocal | kUntouched);
    EXPECT_EQ(StateByte(table->AddressOf(page) + base::kPageSize - 1), kLocal | kUntouched);
  }
  EXPECT_EQ(StateByte(heap.address() - 1), 0u);
  EXPECT_EQ(StateByte(table->AddressOf(kPages)), 0u);
  EXPECT_EQ(StateByte(0), 0u);
}

TEST_F(PageTableTest, TheBytesAreZeroAgainOnceTheTableIsGone) {
  const base::OsMemory heap = ReserveHeap();
  {
    const auto table = MakeTable(heap);
    table->Extend(kPages);
    EXPECT_NE(StateByte(heap.address()), 0u);
  }
  for (size_t page = 0; page < kPages; ++page) {
    ASSERT_EQ(StateByte(heap.address() + page * base::kPageSize), 0u);
  }
  const auto again = MakeTable(heap);
  EXPECT_EQ(again->used(), 0u);
  again->Extend(1);
  EXPECT_EQ(StateByte(heap.address()), kFar | kFresh);
}

TEST_F(PageTableTest, NeighbouringHeapsDoNotShareStates) {
  const base::OsMemory heaps =
      std::move(base::OsMemory::Reserve(2 * PageTable::kAlignment, PageTable::kAlignment,
                                        "two heaps", PROT_NONE)
                    .value());
  constexpr size_t kHeapPages = PageTable::kAlignment / base::kPageSize;
  auto low = std::move(PageTable::Create(heaps.address(), kHeapPages).value());
  auto high =
      std::move(PageTable::Create(heaps.address() + PageTable::kAlignment, kHeapPages).value());
  low->Extend(kHeapPages);
  high->Extend(kHeapPages);
  low.reset();
  EXPECT_EQ(StateByte(heaps.address() + PageTable::kAlignment - 1), 0u);
  EXPECT_EQ(StateByte(heaps.address() + PageTable::kAlignment), kFar | kFresh);
  high->state(0).store(kLocal | kCold);
  EXPECT_EQ(StateByte(heaps.address() + PageTable::kAlignment), kLocal | kCold);
}

TEST_F(PageTableTest, FindsTheNextLocalPageWhateverLiesBetween) {
  const base::OsMemory heap = ReserveHeap();
  const auto table = MakeTable(heap);
  table->Extend(100);
  EXPECT_EQ(table->NextLocal(0, 100), 100u);
  for (const PageIndex local : {0u, 1u, 7u, 8u, 13u, 63u, 64u, 99u}) {
    for (const PageState flags : {kLocal, kUntouched, kArmed, kCold}) {
      for (const PageState others : {kFar, kFetching, kLeaving, kWriting}) {
        for (PageIndex page = 0; page < 100; ++page) table->state(page) = others;
        table->state(local) = flags;
        for (PageIndex from = 0; from < 100; ++from) {
          EXPECT_EQ(table->NextLocal(from, 100), from <= local ? local : 100) << from;
          EXPECT_EQ(table->NextLocal(std::min(from, local), local), local);
        }
      }
    }
  }
}

TEST_F(PageTableTest, KnowsItsAddresses) {
  const base::OsMemory heap = ReserveHeap();
  const auto table = MakeTable(heap);
  EXPECT_EQ(table->base(), heap.address());
  EXPECT_EQ(table->pages(), kPages);
  EXPECT_EQ(table->AddressOf(3), heap.address() + 3 * base::kPageSize);
  EXPECT_EQ(table->PageOf(heap.address() + 4 * base::kPageSize - 1), 3u);
  EXPECT_TRUE(table->Contains(heap.address()));
  EXPECT_TRUE(table->Contains(table->AddressOf(kPages) - 1));
  EXPECT_FALSE(table->Contains(table->AddressOf(kPages)));
  EXPECT_FALSE(table->Contains(heap.address() - 1));
  EXPECT_FALSE(table->Contains(0));
}

}  // namespace
}  // namespace tandem::swap
