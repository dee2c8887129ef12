// What every fabric does when its far side fails, with memory servers that are stopped, killed and
// started again, or cut off. A device goes on serving for a server that is stopped, and so
// does mapped memory (shm).
#include <csignal>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "tests/rdma/fault_conformance.h"
#include "tests/remote/relay.h"
#include "tests/remote/server_process.h"

namespace tandem::rdma {
namespace {

class ServerFarSide final : public FarSide {
 public:
  ServerFarSide(std::string fabric, std::string prefix)
      : fabric_(std::move(fabric)), prefix_(std::move(prefix)) {}

  std::string Url() const override { return prefix_ + server_->url(); }
  void Silence() override { server_->Stop(); }
  void Speak() override { server_->Signal(SIGCONT); }
  void Die(Fabric& fabric) override {
    server_->Kill(SIGKILL);
    AwaitLoss(fabric);
  }
  void ComeBack() override {
    const std::string address = server_->address();
    server_.emplace(ServerProcess::At(fabric_, address));
  }

 private:
  const std::string fabric_;
  const std::string prefix_;  // of the fabric's URL
  std::optional<ServerProcess> server_{ServerProcess::At(fabric_, AnyAddress(fabric_, "faults"))};
};

// A server of fabric tcp that goes on, but of which nothing is heard.
class CutOffFarSide final : public FarSide {
 public:
  std::string Url() const override { return way_->url(); }
  void Silence() override { way_->Cut(); }
  void Speak() override { way_->Mend(); }
  void Die(Fabric&) override { server_->Kill(SIGKILL); }
  void ComeBack() override {
    const std::string address = server_->address();
    way_.reset();
    server_.emplace(ServerProcess::At("tcp", address));
    way_.emplace(*server_);
  }

 private:
  std::optional<ServerProcess> server_{ServerProcess::At("tcp", AnyAddress("tcp", ""))};
  std::optional<RelayedServer> way_{*server_};
};

}  // namespace

std::unique_ptr<FarSide> MakeFarSide(const std::string& name) {
  constexpr std::string_view kSealed = "sealed ";
  if (name == "cut off tcp") return std::make_unique<CutOffFarSide>();
  if (!name.starts_with(kSealed)) return std::make_unique<ServerFarSide>(name, "");
  return std::make_unique<ServerFarSide>(name.substr(kSealed.size()), "sealed:");
}

namespace {

INSTANTIATE_TEST_SUITE_P(Fabrics, FaultConformance,
                         testing::Values("tcp", "tcp-rdm", "shm", "shm-ofi", "cut off tcp",
                                         "sealed tcp"));
INSTANTIATE_TEST_SUITE_P(Device, FaultConformance,
                         testing::ValuesIn(OnDevice({"verbs", "verbs-ofi"})));

}  // namespace
}  // namespace tandem::rdma
