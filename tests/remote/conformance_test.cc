// What every fabric does, with the far side in another process.
#include <string>
#include <string_view>

#include "tests/rdma/fabric_conformance.h"
#include "tests/remote/server_process.h"

namespace tandem::rdma {

std::string UrlOf(const std::string& name) {
  constexpr std::string_view kSealed = "sealed ";
  if (name.starts_with(kSealed)) return "sealed:" + UrlOf(name.substr(kSealed.size()));
  if (name == "tcp") {
    static const ServerProcess server = ServerProcess::Tcp();
    return server.url();
  }
  if (name == "two servers") {
    static const ServerProcess first = ServerProcess::Tcp();
    static const ServerProcess second = ServerProcess::Tcp();
    return first.url() + "," + second.url() + ",depth=8,batch=2";
  }
  if (name == "verbs" || name == "two verbs servers") {
    static const ServerProcess first = ServerProcess::Of("verbs");
    if (name == "verbs") return first.url();
    static const ServerProcess second = ServerProcess::Of("verbs");
    return first.url() + "," + second.url() +
           ",depth=8,batch=2,source=" + std::getenv("TANDEM_RDMA_ADDRESS");
  }
  if (name == "verbs-ofi") {
    static const ServerProcess server = ServerProcess::Of("verbs-ofi");
    return server.url();
  }
  if (name == "tcp-rdm") {
    static const ServerProcess server = ServerProcess::Of("tcp-rdm");
    return server.url();
  }
  if (name == "shm-ofi") {
    static const ServerProcess server = ServerProcess::Of("shm-ofi", "conformance-ofi");
    return server.url();
  }
  static const ServerProcess server = ServerProcess::Of("shm", "conformance");
  return server.url();
}

namespace {

INSTANTIATE_TEST_SUITE_P(Tcp, FabricConformance,
                         testing::Values("tcp", "two servers", "sealed tcp", "sealed two servers"));
INSTANTIATE_TEST_SUITE_P(Datagrams, FabricConformance, testing::Values("tcp-rdm"));
INSTANTIATE_TEST_SUITE_P(Shm, FabricConformance, testing::Values("shm", "sealed shm"));
INSTANTIATE_TEST_SUITE_P(OfiShm, FabricConformance, testing::Values("shm-ofi", "sealed shm-ofi"));
INSTANTIATE_TEST_SUITE_P(Verbs, FabricConformance,
                         testing::ValuesIn(OnDevice({"verbs", "two verbs servers",
                                                     "sealed verbs"})));
INSTANTIATE_TEST_SUITE_P(OfiVerbs, FabricConformance, testing::ValuesIn(OnDevice({"verbs-ofi"})));

}  // namespace
}  // namespace tandem::rdma
