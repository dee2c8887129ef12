// Fabric shm: what is its own, since the heap has the server's memory mapped.
#include <gmock/gmock.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <memory>
#include <string>

#include "rdma/remote/mapped/session_file.h"
#include "runtime/base/os_memory.h"
#include "tests/rdma/fabric_conformance.h"
#include "tests/remote/server_process.h"
#include "tests/swap/pager_rig.h"

namespace tandem::rdma {
namespace {

using ::testing::HasSubstr;

constexpr size_t kPages = 256;

class Mapped : public ::testing::Test {
 protected:
  std::unique_ptr<Fabric> Borrow(const ServerProcess& server) {
    std::unique_ptr<Fabric> fabric = OpenOrDie(server.url() + ",timeout_ms=50");
    slab_ = fabric->LendSlab(kPages * kPage).value();
    return fabric;
  }

  // Reads and writes each page, and tells how many are right.
  size_t UsePages(Endpoint& endpoint, uint64_t value) {
    size_t right = 0;
    for (size_t i = 0; i < kPages; ++i) {
      Fill(endpoint.Page(0), value + i);
      EXPECT_EQ(endpoint.Carry(endpoint.Write({slab_, i * kPage}, 0, 1)), Outcome::kDone);
      EXPECT_EQ(endpoint.Carry(endpoint.Read({slab_, i * kPage}, 1, 2)), Outcome::kDone);
      if (IsFilledWith(endpoint.Page(1), value + i)) ++right;
    }
    return right;
  }

  // Shared memory that this process has mapped and that is in use, by its own account.
  static size_t SharedKiB() {
    std::ifstream status("/proc/self/status");
    for (std::string line; std::getline(status, line);) {
      if (line.starts_with("RssShmem:")) return std::stoul(line.substr(line.find(':') + 1));
    }
    return 0;
  }

  uint32_t slab_ = 0;
};

TEST_F(Mapped, AServerThatIsStoppedIsNotMissed) {
  const ServerProcess server = ServerProcess::Of("shm", "mapped");
  const std::unique_ptr<Fabric> fabric = Borrow(server);
  Endpoint endpoint(*fabric, 2);
  server.Stop();
  EXPECT_EQ(UsePages(endpoint, 1), kPages);
  server.Signal(SIGCONT);
}

TEST_F(Mapped, TheMemoryOfAServerThatIsKilledGoesBackToTheSystem) {
  ServerProcess server = ServerProcess::Of("shm", "mapped");
  const std::unique_ptr<Fabric> fabric = Borrow(server);
  Endpoint endpoint(*fabric, 2);
  const size_t before = SharedKiB();
  EXPECT_EQ(UsePages(endpoint, 1), kPages);
  EXPECT_GE(SharedKiB(), before + kPages * kPage / 1024);
  server.Kill(SIGKILL);
  EXPECT_TRUE(swap::Eventually([&] { return SharedKiB() < before + kPages; }));
  // And no page of it is taken for what was written.
  ASSERT_TRUE(endpoint.Post(endpoint.Read({slab_, 0}, 0, 1)));
  Completion done[1];
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(endpoint.channel().Poll(done), 0u);
  EXPECT_TRUE(endpoint.channel().Cancel(1));
}

TEST_F(Mapped, WhatAServerHasTakenBackIsLostAndNotReadAsZeroes) {
  const std::string address = AnyAddress("shm", "mapped");
  ServerProcess server({"--fabric", "shm", "--listen", address, "--drain", "0"});
  const std::unique_ptr<Fabric> fabric = Borrow(server);
  Endpoint endpoint(*fabric, 2);
  EXPECT_EQ(UsePages(endpoint, 1), kPages);
  server.Kill(SIGTERM);  // it does not wait for its heaps
  ASSERT_TRUE(endpoint.Post(endpoint.Read({slab_, 0}, 0, 1)));
  Completion done[1];
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(endpoint.channel().Poll(done), 0u);
  const ServerProcess next({"--fabric", "shm", "--listen", address});
  EXPECT_TRUE(swap::Eventually([&] { return endpoint.channel().Poll(done) == 1; }));
  EXPECT_EQ(done[0].outcome, Outcome::kServerLost);
}

TEST_F(Mapped, AServerThatWasStoppedForLongerThanALeaseHasForgottenNobody) {
  // A lease that this process renews in time, however busy the machine is.
  const ServerProcess server(
      {"--fabric", "shm", "--listen", AnyAddress("shm", "mapped"), "--lease", "4"});
  const std::unique_ptr<Fabric> fabric = Borrow(server);
  Endpoint endpoint(*fabric, 2);
  EXPECT_EQ(UsePages(endpoint, 1), kPages);
  server.Stop();
  usleep(6'000'000);
  EXPECT_EQ(UsePages(endpoint, 2), kPages);
  server.Signal(SIGCONT);
  usleep(1'000'000);
  EXPECT_EQ(UsePages(endpoint, 3), kPages);
  EXPECT_EQ(fabric->Stats().lent_bytes, kPages * kPage);
  EXPECT_TRUE(fabric->LendSlab(kPage).ok());
}

TEST_F(Mapped, APollReturnsAsMuchAsThereIsRoomFor) {
  const ServerProcess server = ServerProcess::Of("shm", "mapped");
  const std::unique_ptr<Fabric> fabric = Borrow(server);
  Endpoint endpoint(*fabric, 100);
  for (size_t i = 0; i < 100; ++i) {
    ASSERT_TRUE(endpoint.Post(endpoint.Read({slab_, i * kPage}, i, i, Lane::kPrefetch)));
  }
  // Else who polls would take what is left for overdue. Lanes but demand go in batches of 16.
  Completion done[16];
  for (int i = 0; i < 6; ++i) EXPECT_EQ(endpoint.channel().Poll(done), 16u);
  EXPECT_EQ(endpoint.channel().Poll(done), 4u);
}

TEST_F(Mapped, ATransferThatIsCancelledCostsNothingWhileTheServerIsStopped) {
  const ServerProcess server = ServerProcess::Of("shm", "mapped");
  const std::unique_ptr<Fabric> fabric = Borrow(server);
  Endpoint endpoint(*fabric, 2);
  server.Stop();
  ASSERT_TRUE(endpoint.Post(endpoint.Read({slab_, 0}, 0, 1)));
  EXPECT_TRUE(endpoint.channel().Cancel(1));
  EXPECT_EQ(UsePages(endpoint, 1), kPages);
  server.Signal(SIGCONT);
}

TEST(SessionFileTest, WhatIsLentIsSharedAndGoneAtTheEnd) {
  auto made = SessionFile::Make();
  ASSERT_TRUE(made.ok());
  SessionFile& server = **made;
  const uint64_t offset = server.Grow(2 * base::kPageSize).value();
  auto opened = SessionFile::Open(server.name());
  ASSERT_TRUE(opened.ok()) << opened.status().message();
  SessionFile& heap = **opened;
  EXPECT_TRUE(heap.OwnerLives());
  EXPECT_FALSE(heap.Map(offset, 3 * base::kPageSize).ok());
  std::byte* const here = heap.Map(offset, 2 * base::kPageSize).value();
  EXPECT_TRUE(IsFilledWith(here, 0));
  Fill(here, 7);
  EXPECT_TRUE(IsFilledWith(server.Map(offset, base::kPageSize).value(), 7));
  EXPECT_TRUE(heap.serving());
  server.End();
  EXPECT_FALSE(heap.serving());
  EXPECT_TRUE(IsFilledWith(here, 0));
}

TEST(SessionFileTest, AnotherFileIsNotTakenForIt) {
  auto made = SessionFile::Make();
  ASSERT_TRUE(made.ok());
  const std::string name = (*made)->name();
  const std::string process = std::to_string(getpid());
  const std::string place = name.substr(0, name.rfind(':'));
  for (const std::string& wrong :
       {std::string(), std::string("here"), process, process + ":0:1", place + ":1",
        std::string("99999999:3:1"), process + ":99999:1"}) {
    EXPECT_FALSE(SessionFile::Open(wrong).ok()) << wrong;
  }
  EXPECT_THAT(SessionFile::Open(place + ":1").status().message(), HasSubstr("another process"));
  EXPECT_TRUE(SessionFile::Open(name).ok());
}

}  // namespace
}  // namespace tandem::rdma
