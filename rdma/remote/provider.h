// Provider: what carries the pages of a fabric whose far side is another process.
#pragma once

#include <cstdint>
#include <iterator>
#include <optional>
#include <string_view>

namespace tandem::rdma {

enum class Provider : uint8_t {
  kTcp,       // libfabric
  kShm,       // lent memory is mapped
  kShmOfi,    // libfabric
  kVerbs,     // libibverbs
  kVerbsOfi,  // the same devices, through libfabric
};
// The URL's scheme, and what `tandem memserver --fabric` takes; in the order of the enum.
inline constexpr const char* kProviderNames[] = {"tcp", "shm", "shm-ofi", "verbs", "verbs-ofi"};
inline constexpr const char* kProviderList = "tcp, shm, shm-ofi, verbs, verbs-ofi";

inline const char* NameOf(Provider provider) {
  return kProviderNames[static_cast<size_t>(provider)];
}

inline std::optional<Provider> ProviderNamed(std::string_view name) {
  for (size_t i = 0; i < std::size(kProviderNames); ++i) {
    if (name == kProviderNames[i]) return static_cast<Provider>(i);
  }
  return std::nullopt;
}

// Whether servers are known by a name, and serve this machine alone. Those of all others have
// addresses of the form HOST:PORT, to which channels connect.
inline bool IsLocal(Provider provider) {
  return provider == Provider::kShm || provider == Provider::kShmOfi;
}

// Whether a device moves the bytes, which needs buffers registered and pinned.
inline bool IsDevice(Provider provider) {
  return provider == Provider::kVerbs || provider == Provider::kVerbsOfi;
}

}  // namespace tandem::rdma
