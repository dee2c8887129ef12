#include "workloads/random.h"

#include <gmock/gmock.h>

#include <cstring>
#include <string>
#include <vector>

namespace tandem::workloads {
namespace {

TEST(RandomTest, LoadsAsManyBytesAsItIsToldTo) {
  const std::string bytes = "\x81\x92\xa3\xb4\xc5\xd6\xe7\xf8";
  for (size_t length = 0; length <= 8; ++length) {
    uint64_t expected = 0;
    std::memcpy(&expected, bytes.data(), length);
    // A copy of its own, so that a sanitizer sees a load behind its end.
    const std::vector<char> some(bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(length));
    EXPECT_EQ(LoadUpTo8(some.data(), length), expected) << length;
  }
}

// Checksums are made of it: what it came to once it must come to for ever.
TEST(RandomTest, HashesOfBytesStayAsTheyAre) {
  EXPECT_EQ(HashBytes(""), 0x7ab40e090f363a7du);
  EXPECT_EQ(HashBytes("a"), 0xe2a09a9804f63bffu);
  EXPECT_EQ(HashBytes("abc"), 0x2654d0f758da4fe2u);
  EXPECT_EQ(HashBytes("1234567"), 0x98a40c19e140ec80u);
  EXPECT_EQ(HashBytes("12345678"), 0xd9f6920f221a755bu);
  EXPECT_EQ(HashBytes("123456789abc"), 0xfdaba5318ef12cb0u);
}

}  // namespace
}  // namespace tandem::workloads
