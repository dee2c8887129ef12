#include "rdma/remote/offers.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <optional>

#include "rdma/fabric.h"
#include "rdma/remote/ofi.h"
#include "rdma/remote/verbs/devices.h"

namespace tandem::rdma {

namespace {

Status Check(Provider provider) {
  if (provider == Provider::kShm) return Status::Ok();
  if (!IsDevice(provider) || provider == Provider::kEfa) {
    return GetInfo(provider, nullptr, nullptr, 0).status();
  }
  const StatusOr<std::vector<VerbsPort>> ports = ListVerbsPorts();
  if (!ports.ok()) return ports.status();
  const bool usable = std::any_of(ports.value().begin(), ports.value().end(),
                                  [](const VerbsPort& port) { return port.usable; });
  if (!usable) return Status::Unavailable("no RDMA device has an active port (see below)");
  if (provider == Provider::kVerbsOfi) return GetInfo(provider, nullptr, nullptr, 0).status();
  return Status::Ok();
}

}  // namespace

std::vector<FabricOffer> ListOffers() {
  std::vector<FabricOffer> offers;
  for (const FabricDescription& fabric : ListFabrics()) {
    const std::string scheme = fabric.name.substr(0, fabric.name.find(':'));
    const std::optional<Provider> provider = ProviderNamed(scheme);
    const Status status = provider.has_value() ? Check(*provider) : Status::Ok();
    offers.push_back({fabric.name, status.ok() ? fabric.summary : status.message(), status.ok()});
  }
  return offers;
}

std::vector<std::string> DescribeDevices() {
  std::vector<std::string> lines;
  const StatusOr<std::vector<VerbsPort>> ports = ListVerbsPorts();
  if (!ports.ok()) return lines;
  for (const VerbsPort& port : ports.value()) {
    if (port.port == 0) {
      lines.push_back(fmt::format("{}: {}", port.device, port.state));
    } else if (port.addresses.empty()) {
      lines.push_back(fmt::format("{} port {}: {}, {}, no IP address: give its network device one",
                                  port.device, port.port, port.state, port.link_layer));
    } else {
      lines.push_back(fmt::format("{} port {}: {}, {}, {}, MTU {}, {} reads outstanding",
                                  port.device, port.port, port.state, port.link_layer,
                                  fmt::join(port.addresses, ", "), port.mtu_bytes, port.max_reads));
    }
  }
  return lines;
}

}  // namespace tandem::rdma
