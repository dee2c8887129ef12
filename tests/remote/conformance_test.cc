// What every fabric does, with the far side in another process.
#include <string>

#include "tests/rdma/fabric_conformance.h"
#include "tests/remote/server_process.h"

namespace tandem::rdma {

std::string UrlOf(const std::string& name) {
  if (name == "tcp") {
    static const ServerProcess server = ServerProcess::Tcp();
    return server.url();
  }
  if (name == "two servers") {
    static const ServerProcess first = ServerProcess::Tcp();
    static const ServerProcess second = ServerProcess::Tcp();
    return first.url() + "," + second.url() + ",depth=8,batch=2";
  }
  static const ServerProcess server = ServerProcess::Shm();
  return server.url();
}

namespace {

INSTANTIATE_TEST_SUITE_P(Tcp, FabricConformance, testing::Values("tcp", "two servers"));
INSTANTIATE_TEST_SUITE_P(Shm, FabricConformance, testing::Values("shm"));

}  // namespace
}  // namespace tandem::rdma
