// HostPort: an address HOST:PORT taken apart.
//
// What libraries make of a port like 70000, or of none, is not what anybody meant.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "tandem/status.h"

namespace tandem::rdma {

struct HostPort {
  std::string host;  // of an IPv6 address without its brackets
  uint16_t port = 0;

  // HOST:PORT with a port from 0 to 65535; IPv6 addresses stand in brackets.
  static StatusOr<HostPort> Parse(std::string_view text);
};

}  // namespace tandem::rdma
