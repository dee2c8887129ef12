// A client that makes up keys, or knows another's, gets nothing and harms nobody. (Fabric shm has
// no keys: who may map one heap's memory may map the server's own.)
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "rdma/remote/connection.h"
#include "rdma/remote/ofi.h"
#include "rdma/remote/remote_fabric.h"
#include "rdma/remote/remote_server.h"
#include "tests/rdma/fabric_conformance.h"
#include "tests/remote/server_process.h"
#include "tests/swap/pager_rig.h"

namespace tandem::rdma {
namespace {

// A client without a heap's own checks: what it sends reaches the server, whatever it names.
class Thief {
 public:
  explicit Thief(const std::string& url)
      : buffer_(std::move(base::OsMemory::Reserve(kPage, kPage, "a thief's buffer").value())),
        server_(std::move(RemoteServer::Join(url, 16, "").value())) {
    EXPECT_TRUE(server_->transport().Register(buffer_.data(), kPage).ok());
  }

  std::byte* buffer() { return buffer_.data(); }
  Extent Borrow() { return server_->Borrow(kPage).value(); }
  uint64_t slab_bytes() const { return server_->joined().slab_bytes; }

  // Whether one transfer is served before `given_up()`; refused, it may find no answer at all
  // (shm-ofi). A refusal breaks a connection, so each has its own.
  template <typename GivenUp>
  bool Served(Direction direction, const Extent& extent, GivenUp&& given_up) {
    auto connection = std::move(Connection::Start(*server_, {0, ++generation_}).value());
    EXPECT_TRUE(swap::Eventually([&] {
      const Connection::State state = connection->Check();
      EXPECT_NE(state, Connection::State::kFailed);
      return state != Connection::State::kConnecting;
    }));
    fi_context2 context;
    const Transfer transfer{direction, Lane::kDemand, {0, 0}, buffer(), kPage, 1};
    bool posted = false;
    bool served = false;
    EXPECT_TRUE(swap::Eventually([&] {
      posted = posted || connection->Post(transfer, extent, &context) == Connection::Posted::kYes;
      void* done[1];
      const Connection::Report report = connection->Poll(done);
      served = report.done > 0;
      return served || report.broken || !connection->Flush() || (posted && given_up());
    })) << "it was neither served nor refused";
    EXPECT_TRUE(posted);
    connection->Close();
    return served;
  }

 private:
  base::OsMemory buffer_;
  std::unique_ptr<RemoteServer> server_;
  uint32_t generation_ = 0;
};

// The parameter is the fabric.
class ForeignKey : public ::testing::TestWithParam<const char*> {
 protected:
  static constexpr uint64_t kSecret = 7;
  static constexpr uint64_t kForgery = 666;

  ForeignKey() {
    Fill(victim_.Page(0), kSecret);
    EXPECT_EQ(victim_.Carry(victim_.Write({slab_, 0}, 0, 1)), Outcome::kDone);
    uint32_t server = 0;
    EXPECT_TRUE(static_cast<RemoteFabric&>(*fabric_).Find({slab_, 0}, kPage, booty_, server));
  }

  // The victim goes on, and finds what it has written.
  bool VictimIsUnharmed() {
    return victim_.Carry(victim_.Read({slab_, 0}, 1, 2)) == Outcome::kDone &&
           IsFilledWith(victim_.Page(1), kSecret);
  }

  // Whether the thief is served before the victim, which begins later, has been for many times.
  bool IsServed(Thief& thief, Direction direction, const Extent& extent) {
    int rounds = 0;
    return thief.Served(direction, extent, [&] {
      EXPECT_TRUE(VictimIsUnharmed());
      return ++rounds == 100;
    });
  }

  ServerProcess server_ = ServerProcess::Of(GetParam(), "foreign-key");
  std::unique_ptr<Fabric> fabric_ = OpenOrDie(server_.url());
  uint32_t slab_ = fabric_->LendSlab(kPage).value();
  Endpoint victim_{*fabric_, 2};
  Extent booty_{};  // where the victim's page lies, with its key
};

TEST_P(ForeignKey, IsRefusedOfAClientThatHasBorrowedNothing) {
  Thief thief(server_.url());
  std::vector<Extent> extents = {booty_};
  for (const uint64_t key : {uint64_t{0}, booty_.key + 1, booty_.key + 2, UINT64_MAX}) {
    extents.push_back({kPage, key, booty_.base});
  }
  for (const Extent& extent : extents) {
    Fill(thief.buffer(), kForgery);
    EXPECT_FALSE(IsServed(thief, Direction::kRead, extent)) << "key " << extent.key;
    EXPECT_TRUE(IsFilledWith(thief.buffer(), kForgery)) << "key " << extent.key;
    EXPECT_FALSE(IsServed(thief, Direction::kWrite, extent)) << "key " << extent.key;
    EXPECT_TRUE(VictimIsUnharmed()) << "key " << extent.key;
  }
}

// Of some fabrics keys count up for each client, so that the thief's own memory may have the same.
TEST_P(ForeignKey, LeadsAClientToItsOwnMemoryAtMost) {
  Thief thief(server_.url());
  const Extent own = thief.Borrow();
  Fill(thief.buffer(), kForgery);
  if (IsServed(thief, Direction::kRead, booty_)) {
    EXPECT_TRUE(IsFilledWith(thief.buffer(), 0));
  } else {
    EXPECT_TRUE(IsFilledWith(thief.buffer(), kForgery));
  }
  Fill(thief.buffer(), kForgery);
  (void)IsServed(thief, Direction::kWrite, booty_);
  EXPECT_TRUE(VictimIsUnharmed());
  // Its own key opens its own memory and no byte beyond.
  EXPECT_TRUE(thief.Served(Direction::kWrite, own, [] { return false; }));
  const Extent beyond{kPage, own.key, own.base + thief.slab_bytes() - kPage / 2};
  Fill(thief.buffer(), kForgery);
  EXPECT_FALSE(IsServed(thief, Direction::kRead, beyond));
  EXPECT_FALSE(IsServed(thief, Direction::kWrite, beyond));
  EXPECT_TRUE(VictimIsUnharmed());
}

INSTANTIATE_TEST_SUITE_P(Fabrics, ForeignKey, ::testing::Values("tcp", "tcp-rdm", "shm-ofi"));
INSTANTIATE_TEST_SUITE_P(Device, ForeignKey, ::testing::ValuesIn(OnDevice({"verbs", "verbs-ofi"})));

}  // namespace
}  // namespace tandem::rdma
