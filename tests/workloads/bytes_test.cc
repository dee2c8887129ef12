#include "workloads/bytes.h"

#include <gtest/gtest.h>

#include <string>

namespace tandem::workloads {
namespace {

TEST(ParseBytesTest, KnowsPlainNumbersAndPowersOf1024) {
  EXPECT_EQ(ParseBytes("0").value(), 0u);
  EXPECT_EQ(ParseBytes("4096").value(), 4096u);
  EXPECT_EQ(ParseBytes("12B").value(), 12u);
  EXPECT_EQ(ParseBytes("64KiB").value(), 65536u);
  EXPECT_EQ(ParseBytes("512M").value(), uint64_t{512} << 20);
  EXPECT_EQ(ParseBytes("4GiB").value(), uint64_t{4} << 30);
  EXPECT_EQ(ParseBytes("2T").value(), uint64_t{2} << 40);
}

TEST(ParseBytesTest, RefusesEverythingElseInOneLine) {
  for (const char* bad : {"", "M", "-1", "+1", "1.5G", "4 G", "1MB", "1m", "1Ki", "0x10", "12BB",
                          "99999999999999999999", "99999999999T"}) {
    const StatusOr<uint64_t> bytes = ParseBytes(bad);
    EXPECT_FALSE(bytes.ok()) << bad;
    EXPECT_EQ(bytes.status().code(), StatusCode::kInvalidArgument);
    EXPECT_EQ(bytes.status().message().find('\n'), std::string::npos);
  }
}

TEST(FormatBytesTest, RoundsToThreeDigits) {
  EXPECT_EQ(FormatBytes(0), "0 B");
  EXPECT_EQ(FormatBytes(1023), "1023 B");
  EXPECT_EQ(FormatBytes(1536), "1.50 KiB");
  EXPECT_EQ(FormatBytes(uint64_t{128} << 20), "128 MiB");
  EXPECT_EQ(FormatBytes(uint64_t{1000} << 20), "0.98 GiB");
}

}  // namespace
}  // namespace tandem::workloads
