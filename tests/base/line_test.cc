#include "runtime/base/line.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>

namespace tandem::base {
namespace {

TEST(LineTest, IsWhatWasAdded) {
  Line line;
  EXPECT_STREQ(line.text(), "");
  EXPECT_STREQ(line.Add("page ").Add(uint64_t{0}).Add(" at ").AddHex(0xbeef).text(),
               "page 0 at 0xbeef");
  EXPECT_STREQ(line.Add("").Add(UINT64_MAX).text(), "page 0 at 0xbeef18446744073709551615");
  line.Clear();
  EXPECT_STREQ(line.AddHex(0).Add(" ").AddHex(UINT64_MAX).text(), "0x0 0xffffffffffffffff");
}

TEST(LineTest, LeavesOutWhatDoesNotFit) {
  Line line;
  for (int i = 0; i < 100; ++i) line.Add("0123456789").Add(uint64_t{7});
  EXPECT_EQ(std::strlen(line.text()), Line::kMaxLength);
  EXPECT_EQ(std::string(line.text()).substr(0, 12), "012345678970");
}

}  // namespace
}  // namespace tandem::base
