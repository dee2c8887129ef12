// Provider: what carries the pages of a fabric whose far side is another process.
#pragma once

#include <cstdint>
#include <iterator>
#include <optional>
#include <string_view>

namespace tandem::rdma {

enum class Provider : uint8_t {
  kTcp,       // libfabric
  kTcpRdm,    // libfabric's tcp;ofi_rxm, which makes its connections by itself
  kShm,       // lent memory is mapped
  kShmOfi,    // libfabric
  kVerbs,     // libibverbs
  kVerbsOfi,  // the same devices, through libfabric
  kEfa,       // libfabric; Amazon's devices
};
// The URL's scheme, and what `tandem memserver --fabric` takes; in the order of the enum.
inline constexpr const char* kProviderNames[] = {"tcp",   "tcp-rdm",   "shm", "shm-ofi",
                                                 "verbs", "verbs-ofi", "efa"};
inline constexpr const char* kProviderList = "tcp, tcp-rdm, shm, shm-ofi, verbs, verbs-ofi, efa";

// How memory servers are named.
inline constexpr const char* kServerSyntax =
    "tcp://HOST:PORT, tcp-rdm://HOST:PORT, shm://NAME, shm-ofi://NAME, verbs://HOST:PORT, "
    "verbs-ofi://HOST:PORT, efa://HOST:PORT";

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
// addresses of the form HOST:PORT.
inline bool IsLocal(Provider provider) {
  return provider == Provider::kShm || provider == Provider::kShmOfi;
}

// Whether channels connect to a port of the server's. Of the others' channels, each has an endpoint
// of its own at the server's end, which tells where (DataRoad::OpenRoad); but for shm.
inline bool HasConnections(Provider provider) {
  return provider == Provider::kTcp || provider == Provider::kVerbs ||
         provider == Provider::kVerbsOfi;
}

// Whether libfabric finds its way to a server, or a server its own network device, by an IP
// address.
inline bool GoesByAddress(Provider provider) {
  return provider == Provider::kTcp || provider == Provider::kTcpRdm ||
         provider == Provider::kVerbsOfi;
}

// Whether a device moves the bytes, which needs buffers registered and pinned.
inline bool IsDevice(Provider provider) {
  return provider == Provider::kVerbs || provider == Provider::kVerbsOfi ||
         provider == Provider::kEfa;
}

}  // namespace tandem::rdma
