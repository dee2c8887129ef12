#include "runtime/base/os_memory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <utility>

namespace tandem::base {
namespace {

// Whether the address space of the page is mapped at all.
bool IsReserved(uintptr_t address) {
  unsigned char resident;
  return mincore(reinterpret_cast<void*>(address), kPageSize, &resident) == 0;
}

TEST(RoundUp, GivesTheNextMultiple) {
  EXPECT_EQ(RoundUp(0, 8), 0u);
  EXPECT_EQ(RoundUp(1, 8), 8u);
  EXPECT_EQ(RoundUp(8, 8), 8u);
  EXPECT_EQ(RoundUp(9, 8), 16u);
}

TEST(OsMemory, IsAlignedAsAsked) {
  for (size_t alignment = 1; alignment <= size_t{1} << 24; alignment <<= 3) {
    auto memory = OsMemory::Reserve(3 * kPageSize, alignment, "a test");
    ASSERT_TRUE(memory.ok()) << memory.status().message();
    EXPECT_EQ(memory->address() % alignment, 0u);
    EXPECT_EQ(memory->address() % kPageSize, 0u);
    EXPECT_EQ(memory->size(), 3 * kPageSize);
  }
}

TEST(OsMemory, IsWholePagesOfZeroes) {
  auto memory = OsMemory::Reserve(kPageSize + 1, 0, "a test");
  ASSERT_TRUE(memory.ok());
  ASSERT_EQ(memory->size(), 2 * kPageSize);
  for (size_t i = 0; i < memory->size(); ++i) ASSERT_EQ(memory->data()[i], std::byte{0});
  memory->data()[memory->size() - 1] = std::byte{1};
}

TEST(OsMemory, CommitsNothingBeforeItIsTouched) {
  auto memory = OsMemory::Reserve(size_t{1} << 40, size_t{1} << 30, "a test");
  ASSERT_TRUE(memory.ok()) << memory.status().message();
  unsigned char resident = 1;
  std::byte* const page = memory->data() + (size_t{1} << 39);
  ASSERT_EQ(mincore(page, kPageSize, &resident), 0);
  EXPECT_EQ(resident & 1, 0);
}

TEST(OsMemory, MovesItsRangeAndUnmapsItOnce) {
  uintptr_t address = 0;
  {
    OsMemory outer;
    {
      auto memory = OsMemory::Reserve(kPageSize, 0, "a test");
      ASSERT_TRUE(memory.ok());
      address = memory->address();
      OsMemory moved(std::move(*memory));
      EXPECT_EQ(memory->data(), nullptr);  // NOLINT: what is left of it is told
      EXPECT_EQ(memory->size(), 0u);
      outer = std::move(moved);
    }
    EXPECT_EQ(outer.address(), address);
    EXPECT_TRUE(IsReserved(address));
    outer.data()[0] = std::byte{1};
  }
  EXPECT_FALSE(IsReserved(address));
}

TEST(OsMemory, TellsWhatCouldNotBeReserved) {
  auto memory = OsMemory::Reserve(size_t{1} << 60, 0, "the impossible");
  ASSERT_FALSE(memory.ok());
  EXPECT_EQ(memory.status().code(), StatusCode::kResourceExhausted);
  EXPECT_THAT(memory.status().message(), ::testing::HasSubstr("the impossible"));
}

}  // namespace
}  // namespace tandem::base
