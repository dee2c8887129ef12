#include "rdma/fabric.h"

#include <gmock/gmock.h>

#include <string>

#include "tests/rdma/fabric_conformance.h"

namespace tandem::rdma {

std::string UrlOf(const std::string& name) { return name; }

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

}  // namespace
}  // namespace tandem::rdma
