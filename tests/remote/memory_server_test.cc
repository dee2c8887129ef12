// The server's manners towards clients that are new, wrong, or gone.
#include "rdma/remote/memory_server.h"

#include <gmock/gmock.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "rdma/remote/status_page.h"
#include "runtime/base/clock.h"
#include "tests/rdma/fabric_conformance.h"
#include "tests/remote/growing_heap.h"
#include "tests/remote/server_process.h"
#include "tests/swap/pager_rig.h"

namespace tandem::rdma {
namespace {

using ::testing::HasSubstr;

// A server in this process, with a client that speaks the control protocol by hand.
class MemoryServerTest : public ::testing::Test {
 protected:
  void Start(MemoryServerOptions options) {
    server_ = std::move(MemoryServer::Start(std::move(options)).value());
    client_ = ControlClient::Make(server_->url().substr(6), {});
  }
  std::unique_ptr<MemoryServer> server_;
  std::unique_ptr<ControlClient> client_;
};

constexpr uint64_t kMiB = 1 << 20;

int ConnectTo(int port) {
  const int s = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(static_cast<uint16_t>(port));
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(connect(s, reinterpret_cast<sockaddr*>(&to), sizeof to), 0);
  return s;
}

// The whole answer to a request by HTTP.
std::string Get(int port, const std::string& path) {
  const int s = ConnectTo(port);
  const std::string request = "GET " + path + " HTTP/1.0\r\n\r\n";
  EXPECT_EQ(send(s, request.data(), request.size(), 0), static_cast<ssize_t>(request.size()));
  std::string answer;
  char some[1000];
  for (ssize_t n; (n = read(s, some, sizeof some)) > 0;) answer.append(some, n);
  close(s);
  return answer;
}

TEST_F(MemoryServerTest, LendsWholeSlabsUpToItsCapacityAndAClientsLimit) {
  Start({.capacity_bytes = 8 * kMiB, .slab_bytes = kMiB, .client_bytes = 5 * kMiB});
  const ClientId one = client_->Join("tcp", "one").value().id;
  EXPECT_EQ(client_->Lend(one, kPage).value().bytes, kMiB);
  EXPECT_EQ(client_->Lend(one, 3 * kMiB + kPage).value().bytes, 4 * kMiB);
  EXPECT_EQ(client_->Lend(one, kPage).status().code(), StatusCode::kResourceExhausted);
  const ClientId two = client_->Join("tcp", "two").value().id;
  EXPECT_NE(one.client, two.client);
  EXPECT_EQ(client_->Lend(two, 4 * kMiB).status().code(), StatusCode::kResourceExhausted);
  EXPECT_TRUE(client_->Lend(two, 3 * kMiB).ok());
  EXPECT_TRUE(client_->Leave(one).ok());
  EXPECT_EQ(server_->Stats().lent_bytes, 3 * kMiB);
  EXPECT_TRUE(client_->Lend(two, 2 * kMiB).ok());
}

TEST_F(MemoryServerTest, AHeapThatItCannotServeIsToldWhyAndDoesNotAskAtEachAllocation) {
  Start({.capacity_bytes = 64 * kMiB});
  GrowingHeap growing(server_->url());
  const uint64_t start = base::NowNs();
  while (growing.Grow()) {
  }
  for (int i = 0; i < 50; ++i) EXPECT_FALSE(growing.Grow());
  const auto refused = [&](Refusal why) {
    return server_->Stats().refused[static_cast<size_t>(why)];
  };
  EXPECT_LE(refused(Refusal::kCapacity), 2 + (base::NowNs() - start) / 100'000'000);
  EXPECT_THAT(growing.heap().GrowthTrouble(), HasSubstr(server_->url().substr(6)));
  EXPECT_THAT(growing.heap().GrowthTrouble(), HasSubstr("64 of its 64 MiB are lent"));
  server_->Drain();
  EXPECT_TRUE(swap::Eventually([&] { return growing.Grow() || refused(Refusal::kDraining) > 0; }));
  EXPECT_THAT(growing.heap().GrowthTrouble(), HasSubstr("it is shutting down"));
}

TEST_F(MemoryServerTest, AHeapAtItsOwnLimitHasNoTroubleToGrow) {
  Start({.capacity_bytes = 1024 * kMiB});
  GrowingHeap growing(server_->url());
  while (growing.Grow()) {
  }
  EXPECT_EQ(growing.heap().GrowthTrouble(), "");
}

TEST_F(MemoryServerTest, LogsWhomItRefusesAndWhyButOnceASecond) {
  std::vector<std::string> lines;
  std::mutex mutex;
  Start({.capacity_bytes = 8 * kMiB, .slab_bytes = kMiB, .log = [&](const std::string& line) {
           const std::lock_guard lock(mutex);
           lines.push_back(line);
         }});
  const uint64_t start = base::NowNs();
  for (int i = 0; i < 100; ++i) EXPECT_FALSE(client_->Join("pigeon", "stranger").ok());
  const ClientId nobody{server_->epoch(), 0x123};
  EXPECT_FALSE(client_->Renew(nobody).ok());
  const uint64_t seconds = (base::NowNs() - start) / 1'000'000'000;
  server_.reset();
  ASSERT_GE(lines.size(), 2u);
  EXPECT_LE(lines.size(), 2 + seconds);
  EXPECT_EQ(lines[0], "refused client stranger: it serves fabric tcp, not pigeon");
  EXPECT_THAT(lines.back(), HasSubstr("refused client 0000000000000123: no such client"));
}

TEST_F(MemoryServerTest, RefusesNonsense) {
  Start({.capacity_bytes = 8 * kMiB, .slab_bytes = kMiB});
  EXPECT_EQ(client_->Join("pigeon", "x").status().code(), StatusCode::kInvalidArgument);
  // Bytes that are not UTF-8 are refused by the protocol itself.
  EXPECT_FALSE(client_->Join("tcp", "\xff").ok());
  const ClientId id = client_->Join("tcp", "\n\t").value().id;
  for (const uint64_t bytes : {uint64_t{0}, uint64_t{1}, UINT64_MAX, uint64_t{1} << 63}) {
    EXPECT_FALSE(client_->Lend(id, bytes).ok()) << bytes;
  }
  EXPECT_EQ(client_->Lend({id.epoch, id.client + 1}, kPage).status().code(), StatusCode::kDataLoss);
  EXPECT_EQ(client_->Renew({id.epoch + 1, id.client}).code(), StatusCode::kDataLoss);
  EXPECT_EQ(client_->Leave({0, 0}).code(), StatusCode::kDataLoss);
  EXPECT_FALSE(client_->OpenRoad(id, {1, 1}, "").ok());
  EXPECT_TRUE(client_->Join("tcp", "x").ok());
}

TEST_F(MemoryServerTest, TakesBackWhatASilentClientHas) {
  Start({.capacity_bytes = 8 * kMiB, .slab_bytes = kMiB, .lease_ms = 1});
  const ClientId id = client_->Join("tcp", "x").value().id;
  const Status lent = client_->Lend(id, kPage).status();
  EXPECT_TRUE(lent.ok() || lent.code() == StatusCode::kDataLoss);
  base::Backoff backoff;
  while (server_->Stats().clients > 0) backoff.Pause();
  EXPECT_EQ(server_->Stats().lent_bytes, 0u);
  EXPECT_EQ(client_->Renew(id).code(), StatusCode::kDataLoss);
}

TEST_F(MemoryServerTest, LetsNobodyInWhileItDrains) {
  Start({.capacity_bytes = 8 * kMiB, .slab_bytes = kMiB});
  const ClientId id = client_->Join("tcp", "x").value().id;
  server_->Drain();
  EXPECT_EQ(client_->Join("tcp", "y").status().code(), StatusCode::kUnavailable);
  EXPECT_EQ(client_->Lend(id, kPage).status().code(), StatusCode::kUnavailable);
  EXPECT_TRUE(client_->Renew(id).ok());
  EXPECT_TRUE(client_->Leave(id).ok());
}

TEST_F(MemoryServerTest, CountsWhatItLendsAndWhomItRefuses) {
  Start({.capacity_bytes = 8 * kMiB, .slab_bytes = kMiB, .client_bytes = 5 * kMiB});
  const ClientId one = client_->Join("tcp", "one").value().id;
  const ClientId two = client_->Join("tcp", "two").value().id;
  EXPECT_TRUE(client_->Lend(one, 5 * kMiB).ok());
  EXPECT_FALSE(client_->Lend(one, kMiB).ok());
  EXPECT_FALSE(client_->Lend(two, 4 * kMiB).ok());
  EXPECT_FALSE(client_->Lend(two, 1).ok());
  EXPECT_FALSE(client_->Join("pigeon", "x").ok());
  EXPECT_TRUE(client_->Leave(one).ok());
  EXPECT_FALSE(client_->Renew(one).ok());
  server_->Drain();
  EXPECT_FALSE(client_->Join("tcp", "x").ok());
  const MemoryServerStats stats = server_->Stats();
  EXPECT_EQ(stats.clients, 1u);
  EXPECT_EQ(stats.joined, 2u);
  EXPECT_EQ(stats.left, 1u);
  EXPECT_EQ(stats.lent_bytes, 0u);
  EXPECT_EQ(stats.lent_bytes_total, 5 * kMiB);
  const auto refused = [&](Refusal why) { return stats.refused[static_cast<size_t>(why)]; };
  EXPECT_EQ(refused(Refusal::kClientLimit), 1u);
  EXPECT_EQ(refused(Refusal::kCapacity), 1u);
  EXPECT_EQ(refused(Refusal::kNonsense), 2u);
  EXPECT_EQ(refused(Refusal::kUnknownClient), 1u);
  EXPECT_EQ(refused(Refusal::kDraining), 1u);
  EXPECT_EQ(refused(Refusal::kSecret), 0u);
}

TEST_F(MemoryServerTest, ItsStatusPageSaysWhetherItDrains) {
  Start({.capacity_bytes = 8 * kMiB, .slab_bytes = kMiB});
  EXPECT_THAT(PrometheusText(*server_), HasSubstr("tandem_memserver_draining 0"));
  EXPECT_THAT(PrometheusText(*server_), HasSubstr("tandem_memserver_capacity_bytes 8388608"));
  const auto page = std::move(StatusPage::Start("127.0.0.1:0", *server_).value());
  EXPECT_THAT(Get(page->port(), "/healthz"), HasSubstr("200 OK"));
  server_->Drain();
  EXPECT_THAT(Get(page->port(), "/healthz"), HasSubstr("503"));
  EXPECT_THAT(Get(page->port(), "/healthz"), HasSubstr("draining"));
  EXPECT_THAT(Get(page->port(), "/metrics"), HasSubstr("tandem_memserver_draining 1"));
  EXPECT_FALSE(
      StatusPage::Start("127.0.0.1:" + std::to_string(page->port()), *server_).status().ok());
}

TEST_F(MemoryServerTest, WantsTheSecret) {
  Start({.capacity_bytes = 8 * kMiB, .slab_bytes = kMiB, .credentials = {.secret = "open sesame"}});
  for (const char* wrong : {"", "open", "open sesamE", "open sesame "}) {
    const auto client = ControlClient::Make(server_->url().substr(6), {.secret = wrong});
    EXPECT_EQ(client->Join("tcp", "x").status().code(), StatusCode::kNotPermitted) << wrong;
  }
  const auto client = ControlClient::Make(server_->url().substr(6), {.secret = "open sesame"});
  EXPECT_TRUE(client->Join("tcp", "x").ok());
}

TEST_F(MemoryServerTest, ListensBeyondThisMachineOnlyWhenToldThatThisIsMeant) {
  const Status status = MemoryServer::Start({.listen = "0.0.0.0:0"}).status();
  EXPECT_EQ(status.code(), StatusCode::kNotPermitted);
  EXPECT_THAT(status.message(), HasSubstr("--secret-file"));
}

TEST_F(MemoryServerTest, SurvivesStrangersOnBothPorts) {
  Start({.capacity_bytes = 8 * kMiB, .slab_bytes = kMiB});
  const Joined joined = client_->Join("tcp", "x").value();
  const std::string url = server_->url();
  for (const std::string& port : {url.substr(url.rfind(':') + 1), joined.service}) {
    for (const std::string& text : {std::string(), std::string("GET / HTTP/1.0\r\n\r\n"),
                                    std::string(100'000, '\0'), std::string(5000, '\xff')}) {
      const int s = ConnectTo(std::stoi(port));
      (void)!send(s, text.data(), text.size(), MSG_NOSIGNAL);
      close(s);
    }
  }
  const std::unique_ptr<Fabric> fabric = OpenOrDie(url);
  const uint32_t slab = fabric->LendSlab(kPage).value();
  Endpoint endpoint(*fabric, 1);
  EXPECT_EQ(endpoint.Carry(endpoint.Write({slab, 0}, 0, 1)), Outcome::kDone);
}

TEST_F(MemoryServerTest, ANameIsOneServersAtATime) {
  for (const char* fabric : {"shm", "shm-ofi"}) {
    const MemoryServerOptions options{.fabric = fabric, .listen = AnyAddress("shm", "only-one")};
    auto first = MemoryServer::Start(options);
    ASSERT_TRUE(first.ok()) << first.status().message();
    const auto second = MemoryServer::Start(options);
    EXPECT_EQ(second.status().code(), StatusCode::kUnavailable);
    EXPECT_THAT(second.status().message(), HasSubstr("has the name " + options.listen));
    // The first is there still, and leaves the name to others when it goes.
    EXPECT_TRUE(OpenOrDie((*first)->url())->LendSlab(kPage).ok());
    first->reset();
    EXPECT_TRUE(MemoryServer::Start(options).ok());
  }
}

TEST_F(MemoryServerTest, EndsInPeaceWhenAskedTo) {
  ServerProcess process = ServerProcess::Tcp();
  process.Kill(SIGTERM);  // checks how it ends
}

}  // namespace
}  // namespace tandem::rdma
