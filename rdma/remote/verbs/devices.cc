#include "rdma/remote/verbs/devices.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <utility>

#include "rdma/remote/verbs/library.h"

namespace tandem::rdma {

namespace {

std::string FirstLine(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

const char* NameOf(ibv_port_state state) {
  switch (state) {
    case IBV_PORT_DOWN:
      return "down";
    case IBV_PORT_INIT:
      return "initializing (on InfiniBand: no subnet manager runs)";
    case IBV_PORT_ARMED:
      return "armed (on InfiniBand: the subnet manager has not finished)";
    case IBV_PORT_ACTIVE:
      return "active";
    case IBV_PORT_ACTIVE_DEFER:
      return "active, link recovering";
    default:
      return "no operation";
  }
}

// From the kernel's GID table; link-local addresses are on every port and tell nothing.
std::vector<std::string> AddressesOf(const std::string& device, int port, int table_length) {
  const std::string folder = fmt::format("/sys/class/infiniband/{}/ports/{}/", device, port);
  std::vector<std::string> addresses;
  for (int i = 0; i < table_length; ++i) {
    const std::string address = AddressOfGid(FirstLine(fmt::format("{}gids/{}", folder, i)));
    if (address.empty() || address.starts_with("fe80:")) continue;
    const std::string network = FirstLine(fmt::format("{}gid_attrs/ndevs/{}", folder, i));
    std::string text = network.empty() ? address : fmt::format("{} ({})", address, network);
    // Once for each version of RoCE.
    if (std::find(addresses.begin(), addresses.end(), text) == addresses.end()) {
      addresses.push_back(std::move(text));
    }
  }
  return addresses;
}

}  // namespace

std::string AddressOfGid(const std::string& gid) {
  in6_addr address{};
  if (inet_pton(AF_INET6, gid.c_str(), &address) != 1 || IN6_IS_ADDR_UNSPECIFIED(&address)) {
    return {};
  }
  char text[INET6_ADDRSTRLEN] = {};
  if (IN6_IS_ADDR_V4MAPPED(&address)) {
    (void)inet_ntop(AF_INET, &address.s6_addr[12], text, sizeof text);
  } else {
    (void)inet_ntop(AF_INET6, &address, text, sizeof text);
  }
  return text;
}

StatusOr<std::vector<VerbsPort>> ListVerbsPorts() {
  if (Status s = CheckVerbs(); !s.ok()) return s;
  int count = 0;
  ibv_device** const devices = Verbs().get_device_list(&count);
  if (devices == nullptr) return VerbsError("listing the devices", errno);
  std::vector<VerbsPort> ports;
  for (int i = 0; i < count; ++i) {
    const std::string name = Verbs().get_device_name(devices[i]);
    const VerbsPtr<ibv_context> context(Verbs().open_device(devices[i]));
    ibv_device_attr limits{};
    if (context == nullptr || Verbs().query_device(context.get(), &limits) != 0) {
      ports.push_back({.device = name,
                       .state = fmt::format("cannot be opened: {} (is /dev/infiniband/uverbs* open "
                                            "to this user?)",
                                            std::strerror(errno))});
      continue;
    }
    for (int number = 1; number <= limits.phys_port_cnt; ++number) {
      ibv_port_attr attributes{};
      if (Verbs().query_port(context.get(), static_cast<uint8_t>(number),
                             reinterpret_cast<_compat_ibv_port_attr*>(&attributes)) != 0) {
        continue;
      }
      ports.push_back({.device = name,
                       .port = number,
                       .state = NameOf(attributes.state),
                       .usable = attributes.state == IBV_PORT_ACTIVE,
                       .link_layer = attributes.link_layer == IBV_LINK_LAYER_ETHERNET
                                         ? "Ethernet"
                                         : "InfiniBand",
                       .mtu_bytes = 128 << attributes.active_mtu,
                       .max_reads = limits.max_qp_init_rd_atom,
                       .addresses = AddressesOf(name, number, attributes.gid_tbl_len)});
    }
  }
  Verbs().free_device_list(devices);
  return ports;
}

}  // namespace tandem::rdma
