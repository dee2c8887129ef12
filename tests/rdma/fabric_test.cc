#include "rdma/fabric.h"

#include <gmock/gmock.h>

#include <memory>
#include <string>

#include "tests/rdma/fabric_conformance.h"
#include "tests/rdma/fault_conformance.h"

namespace tandem::rdma {

std::string UrlOf(const std::string& name) { return name; }

namespace {

// Loses or delays what it is told to by its URL, and dies of old age. Each fabric has its own.
class EmulatedFarSide final : public FarSide {
 public:
  explicit EmulatedFarSide(std::string url) : url_(std::move(url) + ",timeout_ms=1") {}

  std::string Url() const override { return url_ + ",die_after=1000"; }
  void Die(Fabric& fabric) override {
    Endpoint endpoint(fabric, 1);
    for (int i = 0; i < 2000; ++i) {
      const Outcome outcome = Persist(fabric, endpoint, endpoint.Read({0, 0}, 0, 1));
      if (outcome == Outcome::kServerLost) return;
      ASSERT_EQ(outcome, Outcome::kDone);
    }
    ADD_FAILURE() << "it lives on";
  }

 private:
  const std::string url_;
};

}  // namespace

std::unique_ptr<FarSide> MakeFarSide(const std::string& name) {
  return std::make_unique<EmulatedFarSide>(name);
}

namespace {

TEST(Fabric, UnknownKindsAreRefusedInOneLineThatListsTheValidOnes) {
  for (const char* url : {"", ":", "emulate", "emulatedx:none", "carrier\npigeon:rfc1149"}) {
    const Status status = Fabric::Open(url).status();
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument) << url;
    EXPECT_THAT(status.message(), testing::HasSubstr("emulated"));
    EXPECT_EQ(status.message().find('\n'), std::string::npos);
  }
}

TEST(Fabric, EveryFabricListedHasASummaryOfOneLine) {
  EXPECT_FALSE(ListFabrics().empty());
  for (const FabricDescription& fabric : ListFabrics()) {
    EXPECT_FALSE(fabric.name.empty());
    EXPECT_FALSE(fabric.summary.empty());
    EXPECT_EQ((fabric.name + fabric.summary).find('\n'), std::string::npos);
  }
}

INSTANTIATE_TEST_SUITE_P(Emulated, FabricConformance,
                         testing::Values("emulated", "emulated:none", "emulated:rdma100",
                                         "emulated:rdma40-share,cores=1", "emulated:tcp",
                                         "emulated:rdma40,depth=1,pins=1"));

INSTANTIATE_TEST_SUITE_P(Sealed, FabricConformance,
                         testing::Values("sealed:emulated:none", "sealed:emulated:rdma100",
                                         "sealed:emulated:rdma40,depth=1,pins=1"));

INSTANTIATE_TEST_SUITE_P(Emulated, FaultConformance,
                         testing::Values("emulated:none,loss=0.3", "emulated:rdma40,loss=0.3",
                                         "emulated:none,delay=0.5,delay_ns=2000000",
                                         "sealed:emulated:none,loss=0.2,delay=0.2"));

}  // namespace
}  // namespace tandem::rdma
