#include "rdma/fabric.h"

#include <fmt/format.h>

#include "rdma/emulated_fabric.h"

namespace tandem::rdma {

StatusOr<std::unique_ptr<Fabric>> Fabric::Open(std::string_view url) {
  const size_t colon = url.find(':');
  const std::string_view kind = url.substr(0, colon);
  if (kind == "emulated") {
    StatusOr<EmulatedOptions> options =
        EmulatedOptions::Parse(colon == url.npos ? "" : url.substr(colon + 1));
    if (!options.ok()) return options.status();
    return std::unique_ptr<Fabric>(std::make_unique<EmulatedFabric>(*options));
  }
  return Status::InvalidArgument(
      fmt::format("unknown fabric '{}'; valid is {}", OneLine(kind), EmulatedOptions::kSyntax));
}

std::vector<FabricDescription> ListFabrics() {
  std::vector<FabricDescription> fabrics;
  for (const LinkPreset& preset : LinkPresets()) {
    fabrics.push_back({fmt::format("emulated:{}", preset.name), preset.summary});
  }
  return fabrics;
}

}  // namespace tandem::rdma
