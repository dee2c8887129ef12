#include "tools/fabrics_command.h"

#include <fmt/format.h>

#include <iterator>
#include <vector>

#include "rdma/remote/offers.h"

namespace tandem::tools {

std::string DescribeFabrics() {
  std::string text;
  for (const rdma::FabricOffer& offer : rdma::ListOffers()) {
    fmt::format_to(std::back_inserter(text), "{:<3}  {:<24} {}\n", offer.usable ? "yes" : "no",
                   offer.name, offer.text);
  }
  const std::vector<std::string> devices = rdma::DescribeDevices();
  if (!devices.empty()) text += "RDMA devices:\n";
  for (const std::string& device : devices) text += "     " + device + "\n";
  return text;
}

}  // namespace tandem::tools
