#include "rdma/fabric.h"

#include <fmt/format.h>

#include <utility>

#include "rdma/emulated_fabric.h"
#include "rdma/saved_preset.h"
#include "rdma/sealed_fabric.h"

namespace tandem::rdma {

namespace {

// Written before any fabric is opened, so it needs no lock.
std::vector<FabricKind>& Kinds() {
  static std::vector<FabricKind> kinds;
  return kinds;
}

}  // namespace

void RegisterFabricKind(FabricKind kind) { Kinds().push_back(std::move(kind)); }

StatusOr<std::unique_ptr<Fabric>> Fabric::Open(std::string_view url) {
  if (url.starts_with(SealedFabric::kPrefix)) {
    const std::string_view rest = url.substr(std::string_view(SealedFabric::kPrefix).size());
    if (rest.starts_with(SealedFabric::kPrefix)) {
      return Status::InvalidArgument("a fabric is sealed once: write 'sealed:' once");
    }
    auto inner = Open(rest);
    return inner.ok() ? SealedFabric::Open(std::move(*inner)) : std::move(inner);
  }
  const size_t colon = url.find(':');
  const std::string_view kind = url.substr(0, colon);
  if (kind == "emulated") {
    StatusOr<EmulatedOptions> options =
        EmulatedOptions::Parse(colon == url.npos ? "" : url.substr(colon + 1));
    if (!options.ok()) return options.status();
    return std::unique_ptr<Fabric>(std::make_unique<EmulatedFabric>(*options));
  }
  std::string valid = EmulatedOptions::kSyntax;
  for (const FabricKind& k : Kinds()) {
    if (kind == k.scheme) return k.open(url);
    valid += ", " + k.description.name;
  }
  valid += fmt::format(", {}FABRIC", SealedFabric::kPrefix);
  return Status::InvalidArgument(
      fmt::format("unknown fabric '{}'; valid are {}", OneLine(kind), valid));
}

std::vector<FabricDescription> ListFabrics() {
  std::vector<FabricDescription> fabrics;
  for (const LinkPreset& preset : LinkPresets()) {
    fabrics.push_back({fmt::format("emulated:{}", preset.name), preset.summary});
  }
  for (const SavedPreset& saved : SavedPreset::List()) {
    if (!EmulatedOptions::Parse(saved.name).ok()) continue;  // whoever names it is told why
    fabrics.push_back({fmt::format("emulated:{}", saved.name), saved.summary});
  }
  for (const FabricKind& kind : Kinds()) fabrics.push_back(kind.description);
  fabrics.push_back({std::string(SealedFabric::kPrefix) + "emulated",
                     "sealed: before any of these encrypts its pages (AES-256-GCM)"});
  return fabrics;
}

}  // namespace tandem::rdma
