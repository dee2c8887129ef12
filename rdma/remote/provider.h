// Provider: what carries the pages of a fabric whose far side is another process.
#pragma once

#include <cstdint>
#include <iterator>
#include <optional>
#include <string_view>

namespace tandem::rdma {

enum class Provider : uint8_t {
  kTcp,
  kShm,
  kVerbs,     // libibverbs
  kVerbsOfi,  // the same devices, through libfabric
};
// The URL's scheme, and what `tandem memserver --fabric` takes; in the order of the enum.
inline constexpr const char* kProviderNames[] = {"tcp", "shm", "verbs", "verbs-ofi"};
inline constexpr const char* kProviderList = "tcp, shm, verbs, verbs-ofi";

inline const char* NameOf(Provider provider) {
  return kProviderNames[static_cast<size_t>(provider)];
}

inline std::optional<Provider> ProviderNamed(std::string_view name) {
  for (size_t i = 0; i < std::size(kProviderNames); ++i) {
    if (name == kProviderNames[i]) return static_cast<Provider>(i);
  }
  return std::nullopt;
}

// Whether servers have addresses of the form HOST:PORT, and channels connect to them.
inline bool HasConnections(Provider provider) { return provider != Provider::kShm; }

// Whether a device moves the bytes, which needs buffers registered and pinned.
inline bool IsDevice(Provider provider) {
  return provider == Provider::kVerbs || provider == Provider::kVerbsOfi;
}

}  // namespace tandem::rdma
