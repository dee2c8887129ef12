#include "rdma/remote/ofi.h"

#include <dlfcn.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <charconv>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <type_traits>

#include "rdma/remote/control.h"
#include "rdma/remote/lock_rescue.h"

namespace tandem::rdma {

namespace {

constexpr size_t kMaxAddress = 256;

OfiLibrary g_ofi;
std::once_flag g_load_once;
std::string g_load_error;

void Load() {
  // Local: its symbols are for nobody else.
  void* library = dlopen("libfabric.so.1", RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    g_load_error =
        fmt::format("cannot load libfabric: {} (Debian's package libfabric1)", dlerror());
    return;
  }
  const auto find = [&](auto& function, const char* name) {
    function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(dlsym(library, name));
    if (function == nullptr) g_load_error = fmt::format("libfabric has no function {}", name);
  };
  // Without it all works but this: what waits for a lock of a dead process waits for good.
  (void)RescueLocksOf(library);
  find(g_ofi.getinfo, "fi_getinfo");
  find(g_ofi.freeinfo, "fi_freeinfo");
  find(g_ofi.dupinfo, "fi_dupinfo");
  find(g_ofi.fabric, "fi_fabric");
  find(g_ofi.strerror, "fi_strerror");
}

Status LoadLibfabric() {
  std::call_once(g_load_once, Load);
  return g_load_error.empty() ? Status::Ok() : Status::Unavailable(g_load_error);
}

const char* NameInLibfabric(Provider provider) {
  switch (provider) {
    case Provider::kTcpRdm:
      return "tcp;ofi_rxm";
    case Provider::kShmOfi:
      return "shm";
    case Provider::kVerbsOfi:
      return "verbs";
    default:
      return NameOf(provider);
  }
}

}  // namespace

const OfiLibrary& Ofi() { return g_ofi; }

void PrepareLibfabric() {
  // Its psm3 sets handlers for SIGBUS and others when it is loaded, which would take the place of
  // the pager's.
  setenv("IPATH_NO_BACKTRACE", "1", 1);
  // Its userfaultfd monitor would register ranges of its own, its other one patches libc.
  setenv("FI_MR_CACHE_MONITOR", "disabled", 1);
  // Else the far side copies into this process' memory by itself, also after a cancellation: see
  // remote_channel.h. For single pages it is slower as well.
  setenv("FI_SHM_DISABLE_CMA", "1", 1);
  // ofi_rxm else looks every 10 ms only whether somebody connects, which takes several looks; and
  // makes room for messages, of which there are none, which takes it 50 ms for each endpoint.
  setenv("FI_OFI_RXM_CM_PROGRESS_INTERVAL", "100", 0);
  setenv("FI_OFI_RXM_BUFFER_SIZE", "512", 0);
  // Others take a third of a second to find out that their hardware is not there.
  setenv("FI_PROVIDER", "tcp,ofi_rxm,shm,verbs,efa", 0);
}

StatusOr<InfoPtr> GetInfo(Provider provider, const char* node, const char* service,
                          uint64_t flags) {
  if (Status s = LoadLibfabric(); !s.ok()) return s;
  const char* const name = NameInLibfabric(provider);
  const InfoPtr hints(Ofi().dupinfo(nullptr));
  hints->caps = FI_MSG | FI_RMA;
  hints->ep_attr->type = HasConnections(provider) ? FI_EP_MSG : FI_EP_RDM;
  hints->domain_attr->mr_mode = FI_MR_LOCAL | FI_MR_ALLOCATED | FI_MR_PROV_KEY | FI_MR_VIRT_ADDR;
  hints->domain_attr->threading = FI_THREAD_SAFE;
  // Bytes must not move in threads that we do not know of.
  hints->domain_attr->data_progress = FI_PROGRESS_MANUAL;
  hints->domain_attr->control_progress = FI_PROGRESS_MANUAL;
  hints->fabric_attr->prov_name = strdup(name);
  // A write is done when it is in the far side's memory. Not every provider can promise that.
  hints->tx_attr->op_flags = FI_DELIVERY_COMPLETE;
  fi_info* info = nullptr;
  int result = Ofi().getinfo(kOfiVersion, node, service, flags, hints.get(), &info);
  if (result == -FI_ENODATA) {
    hints->tx_attr->op_flags = 0;
    result = Ofi().getinfo(kOfiVersion, node, service, flags, hints.get(), &info);
  }
  if (result != 0) {
    return Status::Unavailable(
        fmt::format("libfabric finds {} for its provider {}: {}",
                    node == nullptr ? "no device" : fmt::format("no way to {}", node), name,
                    Ofi().strerror(-result)));
  }
  InfoPtr found(info);
  // Those that want buffers registered pin them, which the pager must know before it asks.
  if ((found->domain_attr->mr_mode & FI_MR_LOCAL) != 0 && !IsDevice(provider)) {
    return Status::Unavailable(
        fmt::format("libfabric's provider {} wants local buffers registered", name));
  }
  return found;
}

StatusOr<std::string> AddressOf(fid_ep& endpoint) {
  uint8_t bytes[kMaxAddress];
  size_t length = sizeof bytes;
  if (int r = fi_getname(&endpoint.fid, bytes, &length); r != 0) {
    return OfiError("asking for the endpoint's address", r);
  }
  return fmt::format("{:02x}", fmt::join(bytes, bytes + length, ""));
}

StatusOr<std::string> DecodeAddress(const std::string& address) {
  std::string bytes(kMaxAddress + 1, '\0');
  const char* at = address.data();
  const char* const end = at + address.size();
  bool good = !address.empty() && address.size() % 2 == 0 && address.size() <= 2 * kMaxAddress;
  for (size_t i = 0; good && at != end; ++i, at += 2) {
    uint8_t byte = 0;
    good = std::from_chars(at, at + 2, byte, 16).ptr == at + 2;
    bytes[i] = static_cast<char>(byte);
  }
  if (good) return bytes;
  return Status::InvalidArgument(fmt::format("'{}' is no endpoint's address", Printable(address)));
}

StatusOr<fi_addr_t> InsertAddress(fid_av& addresses, const std::string& address) {
  StatusOr<std::string> bytes = DecodeAddress(address);
  if (!bytes.ok()) return bytes.status();
  fi_addr_t inserted = FI_ADDR_UNSPEC;
  if (fi_av_insert(&addresses, bytes->data(), 1, &inserted, 0, nullptr) == 1) return inserted;
  return Status::Unavailable("libfabric does not accept the other side's address");
}

Status OfiError(const char* what, int64_t result) {
  return Status::Unavailable(
      fmt::format("libfabric: {}: {}", what, Ofi().strerror(static_cast<int>(-result))));
}

}  // namespace tandem::rdma
