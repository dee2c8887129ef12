// Providers without connections: where endpoints are, and what becomes of them.
#include <gtest/gtest.h>

#include <filesystem>
#include <iterator>
#include <memory>
#include <string>

#include "rdma/remote/memory_server.h"
#include "rdma/remote/ofi.h"
#include "tests/rdma/fabric_conformance.h"
#include "tests/remote/server_process.h"

namespace tandem::rdma {
namespace {

TEST(DatagramsTest, AddressesAreHexadecimal) {
  StatusOr<std::string> address = DecodeAddress("00fF41");
  ASSERT_TRUE(address.ok());
  EXPECT_EQ(address->substr(0, 4), std::string("\0\xff"
                                               "A\0",
                                               4));
  EXPECT_GE(address->size(), 256u);
  for (const std::string& wrong : {std::string(), std::string("0"), std::string("0x"),
                                   std::string("+1"), std::string(" 1"), std::string(514, '0')}) {
    EXPECT_FALSE(DecodeAddress(wrong).ok()) << wrong;
  }
}

TEST(DatagramsTest, AServerNeedsAnAddressThatItCanTellClients) {
  for (const char* listen : {"0.0.0.0:0", "[::]:0"}) {
    const auto server =
        MemoryServer::Start({.fabric = "tcp-rdm", .listen = listen, .insecure = true});
    EXPECT_EQ(server.status().code(), StatusCode::kInvalidArgument) << listen;
  }
}

// A heap's threads come and go.
TEST(DatagramsTest, ChannelsThatHaveGoneLeaveTheirPlaceAtTheServerToOthers) {
  const ServerProcess server = ServerProcess::Of("tcp-rdm");
  const auto descriptors = [&] {
    const std::filesystem::directory_iterator all("/proc/" + std::to_string(server.pid()) + "/fd");
    return std::distance(begin(all), end(all));
  };
  const std::unique_ptr<Fabric> fabric = OpenOrDie(server.url());
  const uint32_t slab = fabric->LendSlab(kPage).value();
  const auto use = [&](uint64_t value) {
    Endpoint one(*fabric, 1);
    Endpoint other(*fabric, 1);
    Fill(one.Page(0), value);
    ASSERT_EQ(one.Carry(one.Write({slab, 0}, 0, 1)), Outcome::kDone);
    ASSERT_EQ(other.Carry(other.Read({slab, 0}, 0, 1)), Outcome::kDone);
    ASSERT_TRUE(IsFilledWith(other.Page(0), value));
  };
  use(1);
  const auto before = descriptors();
  for (uint64_t value = 2; value < 30; ++value) use(value);
  EXPECT_LE(descriptors(), before + 20);
}

}  // namespace
}  // namespace tandem::rdma
