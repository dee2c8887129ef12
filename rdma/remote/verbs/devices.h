// The RDMA devices of this machine, as people want to know them. Any thread.
#pragma once

#include <string>
#include <vector>

#include "tandem/status.h"

namespace tandem::rdma {

// A port of a device, which has one for each cable.
struct VerbsPort {
  std::string device = {};
  int port = 0;
  std::string state = {};  // "active", "down", ...
  bool usable = false;
  std::string link_layer = {};  // "Ethernet", "InfiniBand"
  int mtu_bytes = 0;
  int max_reads = 0;  // that it can have outstanding on a connection
  // To listen on and connect from, each with its network device.
  std::vector<std::string> addresses = {};
};

// The error says why there is none.
StatusOr<std::vector<VerbsPort>> ListVerbsPorts();

// The address that a line of the GID table stands for, as people write it: an IPv4 address, or an
// IPv6 one in short. Empty for what is no GID, and for the empty one.
std::string AddressOfGid(const std::string& gid);

}  // namespace tandem::rdma
