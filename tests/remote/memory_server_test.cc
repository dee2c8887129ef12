#include "rdma/remote/memory_server.h"

#include <gmock/gmock.h>

#include "tests/remote/server_process.h"

namespace tandem::rdma {
namespace {

using testing::HasSubstr;

TEST(MemoryServer, EndsInPeaceWhenAskedTo) {
  ServerProcess server = ServerProcess::Tcp();
  const int status = server.Kill(SIGTERM);
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

}  // namespace
}  // namespace tandem::rdma
