// What this machine offers of each fabric, for `tandem fabrics`.
// Looks at libraries and devices, which takes up to a second. Any thread.
#pragma once

#include <string>
#include <vector>

namespace tandem::rdma {

struct FabricOffer {
  std::string name;  // as `tandem list` has it
  std::string text;  // what is there, or why it cannot be used
  bool usable = false;
};

std::vector<FabricOffer> ListOffers();

// The RDMA devices' ports, a line each; empty if there are none.
std::vector<std::string> DescribeDevices();

}  // namespace tandem::rdma
