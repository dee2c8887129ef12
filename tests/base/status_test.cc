#include "tandem/status.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

namespace tandem {
namespace {

TEST(Status, IsOkByDefault) {
  EXPECT_TRUE(Status().ok());
  EXPECT_TRUE(Status::Ok().ok());
  EXPECT_EQ(Status::Ok().message(), "");
}

TEST(Status, CarriesCodeAndMessage) {
  const Status status = Status::NotPermitted("may not");
  EXPECT_FALSE(status.ok());
  EXPECT_EQ(status.code(), StatusCode::kNotPermitted);
  EXPECT_EQ(status.message(), "may not");
  EXPECT_EQ(Status::InvalidArgument("").code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(Status::Unavailable("").code(), StatusCode::kUnavailable);
  EXPECT_EQ(Status::ResourceExhausted("").code(), StatusCode::kResourceExhausted);
  EXPECT_EQ(Status::DataLoss("").code(), StatusCode::kDataLoss);
  EXPECT_EQ(Status::Io("").code(), StatusCode::kIo);
  EXPECT_EQ(Status::Internal("").code(), StatusCode::kInternal);
}

TEST(StatusOr, HoldsAValueOrTheReasonForItsAbsence) {
  StatusOr<std::string> good(std::string("value"));
  ASSERT_TRUE(good.ok());
  EXPECT_EQ(*good, "value");
  EXPECT_EQ(good->size(), 5u);
  StatusOr<std::string> bad(Status::Io("no file"));
  EXPECT_FALSE(bad.ok());
  EXPECT_EQ(bad.status().code(), StatusCode::kIo);
}

TEST(StatusOr, GivesUpAValueThatCanOnlyBeMoved) {
  StatusOr<std::unique_ptr<int>> owner(std::make_unique<int>(7));
  const std::unique_ptr<int> taken = std::move(owner).value();
  EXPECT_EQ(*taken, 7);
}

TEST(StatusOrDeathTest, TheValueOfAFailureEndsTheProcessWithTheReason) {
  StatusOr<int> bad(Status::Io("no such file"));
  EXPECT_DEATH((void)bad.value(), "no such file");
}

}  // namespace
}  // namespace tandem
