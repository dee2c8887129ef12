// What of fabric verbs can be tested without a device: words, and what is said when there is none.
#include <gmock/gmock.h>

#include <cerrno>
#include <set>
#include <string>

#include "rdma/remote/memory_server.h"
#include "rdma/remote/offers.h"
#include "rdma/remote/remote_fabric.h"
#include "rdma/remote/verbs/devices.h"
#include "rdma/remote/verbs/library.h"
#include "tests/remote/server_process.h"

namespace tandem::rdma {
namespace {

using ::testing::AnyOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

bool IsOneLine(const std::string& text) {
  return !text.empty() && text.find('\n') == text.npos && text.size() < 300;
}

TEST(VerbsTest, EveryCompletionErrorHasWords) {
  std::set<std::string> texts;
  for (int status = IBV_WC_SUCCESS; status <= IBV_WC_TM_RNDV_INCOMPLETE; ++status) {
    const std::string text = TroubleOf(static_cast<ibv_wc_status>(status));
    EXPECT_TRUE(IsOneLine(text)) << status;
    EXPECT_THAT(text, Not(HasSubstr("not known"))) << status;
    texts.insert(text);
  }
  // Those of features that are not used share theirs.
  EXPECT_GE(texts.size(), 17u);
  EXPECT_THAT(TroubleOf(static_cast<ibv_wc_status>(31)), HasSubstr("not known"));
  EXPECT_THAT(TroubleOf(IBV_WC_REM_ACCESS_ERR), HasSubstr("wrong key"));
  EXPECT_THAT(TroubleOf(IBV_WC_RETRY_EXC_ERR), HasSubstr("does not answer"));
}

TEST(VerbsTest, EveryEventThatEndsAConnectionHasWords) {
  for (int event = RDMA_CM_EVENT_ADDR_RESOLVED; event <= RDMA_CM_EVENT_TIMEWAIT_EXIT; ++event) {
    EXPECT_TRUE(IsOneLine(TroubleOf(static_cast<rdma_cm_event_type>(event), 0))) << event;
  }
  EXPECT_THAT(TroubleOf(RDMA_CM_EVENT_UNREACHABLE, -ETIMEDOUT), HasSubstr("does not answer"));
}

TEST(VerbsTest, ErrorsOfTheSystemSayWhatToDo) {
  EXPECT_EQ(VerbsError("x", EACCES).code(), StatusCode::kNotPermitted);
  EXPECT_THAT(VerbsError("x", EACCES).message(), HasSubstr("/dev/infiniband"));
  EXPECT_EQ(VerbsError("x", ENOMEM).code(), StatusCode::kResourceExhausted);
  EXPECT_THAT(VerbsError("x", ENOMEM).message(), HasSubstr("ulimit -l"));
  EXPECT_THAT(VerbsError("x", EADDRNOTAVAIL).message(), HasSubstr("tandem fabrics"));
  EXPECT_THAT(VerbsError("x", EIO).message(), HasSubstr("Input/output error"));
}

TEST(VerbsTest, GidsAreShownAsAddresses) {
  EXPECT_EQ(AddressOfGid("0000:0000:0000:0000:0000:ffff:0a4d:0001"), "10.77.0.1");
  EXPECT_EQ(AddressOfGid("fe80:0000:0000:0000:0202:c9ff:fe00:0001"), "fe80::202:c9ff:fe00:1");
  EXPECT_EQ(AddressOfGid("0000:0000:0000:0000:0000:0000:0000:0000"), "");
  EXPECT_EQ(AddressOfGid(""), "");
  EXPECT_EQ(AddressOfGid("nonsense"), "");
}

TEST(VerbsTest, TheSourceAddressIsPartOfTheName) {
  const auto options = RemoteOptions::Parse("verbs://a:1,verbs://b:2,source=10.0.0.1,depth=8");
  ASSERT_TRUE(options.ok());
  EXPECT_EQ(options.value().source, "10.0.0.1");
  EXPECT_EQ(options.value().Name(), "verbs://a:1,verbs://b:2,depth=8,source=10.0.0.1");
}

TEST(VerbsTest, EveryProviderIsFoundByItsName) {
  for (const char* name : kProviderNames) EXPECT_STREQ(NameOf(*ProviderNamed(name)), name);
  EXPECT_FALSE(ProviderNamed("").has_value());
  EXPECT_FALSE(ProviderNamed("verb").has_value());
}

TEST(VerbsTest, AWrongUrlIsRefusedBeforeAnythingIsTried) {
  for (const char* url : {"verbs://", "verbs://x", "verbs://:1", "verbs://x:", "verbs-ofi://x"}) {
    const Status status = Fabric::Open(url).status();
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument) << url;
    EXPECT_TRUE(IsOneLine(status.message())) << url;
  }
}

TEST(VerbsTest, WithoutADeviceEverybodyIsToldSo) {
  if (CheckVerbs().ok()) GTEST_SKIP() << "there is a device";
  const auto is_clear = AnyOf(HasSubstr("no RDMA device"), HasSubstr("cannot load lib"));
  MemoryServerOptions options{.fabric = "verbs"};
  for (const Status& status : {CheckVerbs(), Fabric::Open("verbs://127.0.0.1:1").status(),
                               MemoryServer::Start(options).status(), ListVerbsPorts().status()}) {
    EXPECT_EQ(status.code(), StatusCode::kUnavailable);
    EXPECT_TRUE(IsOneLine(status.message())) << status.message();
    EXPECT_THAT(status.message(), is_clear);
  }
  EXPECT_TRUE(DescribeDevices().empty());
}

TEST(VerbsTest, OffersNameEveryFabric) {
  std::vector<std::string> names;
  for (const FabricOffer& offer : ListOffers()) {
    names.push_back(offer.name);
    EXPECT_TRUE(IsOneLine(offer.text)) << offer.name;
    EXPECT_TRUE(offer.usable || !offer.name.starts_with("emulated:")) << offer.name;
  }
  for (const char* name :
       {"emulated:rdma40", "tcp://HOST:PORT", "tcp-rdm://HOST:PORT", "shm://NAME", "shm-ofi://NAME",
        "efa://HOST:PORT", "verbs://HOST:PORT", "verbs-ofi://HOST:PORT"}) {
    EXPECT_THAT(names, Contains(name));
  }
}

}  // namespace
}  // namespace tandem::rdma
