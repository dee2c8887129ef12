#include "rdma/memory_store.h"

#include <gtest/gtest.h>

#include <cstring>
#include <thread>

namespace tandem::rdma {
namespace {

constexpr uint64_t kHuge = MemoryStore::kHugePageSize;

TEST(MemoryStore, FindStaysWithinTheSlab) {
  MemoryStore store;
  EXPECT_EQ(store.Find({0, 0}, 1), nullptr);
  ASSERT_EQ(store.Lend(8192).value(), 0u);
  std::byte* start = store.Find({0, 0}, 8192);
  ASSERT_NE(start, nullptr);
  EXPECT_EQ(store.Find({0, 4096}, 4096), start + 4096);
  EXPECT_EQ(store.Find({0, 8192}, 0), start + 8192);
  EXPECT_EQ(store.Find({0, 0}, 8193), nullptr);
  EXPECT_EQ(store.Find({0, 8191}, 2), nullptr);
  EXPECT_EQ(store.Find({0, 8193}, 0), nullptr);
  EXPECT_EQ(store.Find({0, UINT64_MAX}, 2), nullptr);
  EXPECT_EQ(store.Find({0, 1}, UINT64_MAX), nullptr);
  EXPECT_EQ(store.Find({1, 0}, 1), nullptr);
  EXPECT_EQ(store.Find({MemoryStore::kMaxSlabs, 0}, 1), nullptr);
}

TEST(MemoryStore, DiscardGivesBackWholeHugePagesOnly) {
  MemoryStore store;
  ASSERT_TRUE(store.Lend(4 * kHuge).ok());
  std::byte* const bytes = store.Find({0, 0}, 4 * kHuge);
  std::memset(bytes, 1, 4 * kHuge);
  const uint64_t from = kHuge / 2;
  store.Discard({0, from}, 2 * kHuge);
  EXPECT_EQ(store.discarded_bytes(), 2 * kHuge);
  EXPECT_EQ(bytes[kHuge - 1], std::byte{1});
  EXPECT_EQ(bytes[kHuge], std::byte{0});
  EXPECT_EQ(bytes[2 * kHuge - 1], std::byte{0});
  EXPECT_EQ(bytes[2 * kHuge], std::byte{1});
  store.Discard({0, 3 * kHuge}, kHuge);
  EXPECT_EQ(bytes[3 * kHuge - 1], std::byte{1});
  EXPECT_EQ(bytes[3 * kHuge], std::byte{0});
}

TEST(MemoryStore, AFullTableIsReported) {
  MemoryStore store;
  for (uint32_t i = 0; i < MemoryStore::kMaxSlabs; ++i) {
    StatusOr<uint32_t> slab = store.Lend(4096);
    if (!slab.ok()) {
      // The system may run out of mappings first; that has to be said, too.
      EXPECT_EQ(slab.status().code(), StatusCode::kResourceExhausted);
      return;
    }
    ASSERT_EQ(*slab, i);
  }
  EXPECT_EQ(store.Lend(4096).status().code(), StatusCode::kResourceExhausted);
}

TEST(MemoryStore, SlabsAreFoundWhileOthersAreLent) {
  MemoryStore store;
  constexpr uint32_t kSlabs = 200;
  std::thread lender([&] {
    for (uint32_t i = 0; i < kSlabs; ++i) ASSERT_TRUE(store.Lend(8192).ok());
  });
  for (uint32_t i = 0; i < kSlabs; ++i) {
    std::byte* start;
    while ((start = store.Find({i, 0}, 1)) == nullptr) std::this_thread::yield();
    EXPECT_EQ(store.Find({i, 4096}, 4096), start + 4096);
    EXPECT_EQ(store.Find({i, 4096}, 4097), nullptr);
  }
  lender.join();
  EXPECT_EQ(store.lent_bytes(), kSlabs * 8192);
}

}  // namespace
}  // namespace tandem::rdma
