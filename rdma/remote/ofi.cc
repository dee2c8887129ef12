#include "rdma/remote/ofi.h"

#include <fmt/format.h>

#include <cstdlib>
#include <cstring>

namespace tandem::rdma {

const char* NameOf(Provider provider) { return provider == Provider::kTcp ? "tcp" : "shm"; }

void PrepareLibfabric() {
  // Its userfaultfd monitor would register ranges of its own, its other one patches libc.
  setenv("FI_MR_CACHE_MONITOR", "disabled", 1);
  // Else the far side copies into this process' memory by itself, also after a cancellation: see
  // libfabric_channel.h. For single pages it is slower as well.
  setenv("FI_SHM_DISABLE_CMA", "1", 1);
  // Others take a third of a second to find out that their hardware is not there.
  setenv("FI_PROVIDER", "tcp,shm", 0);
}

StatusOr<InfoPtr> GetInfo(Provider provider, const char* node, const char* service,
                          uint64_t flags) {
  const InfoPtr hints(fi_allocinfo());
  hints->caps = FI_MSG | FI_RMA;
  hints->ep_attr->type = provider == Provider::kTcp ? FI_EP_MSG : FI_EP_RDM;
  hints->domain_attr->mr_mode = FI_MR_LOCAL | FI_MR_ALLOCATED | FI_MR_PROV_KEY | FI_MR_VIRT_ADDR;
  hints->domain_attr->threading = FI_THREAD_SAFE;
  // Bytes must not move in threads that we do not know of.
  hints->domain_attr->data_progress = FI_PROGRESS_MANUAL;
  hints->domain_attr->control_progress = FI_PROGRESS_MANUAL;
  hints->fabric_attr->prov_name = strdup(NameOf(provider));
  // A write is done when it is in the far side's memory. Not every provider can promise that.
  hints->tx_attr->op_flags = FI_DELIVERY_COMPLETE;
  fi_info* info = nullptr;
  int result = fi_getinfo(kOfiVersion, node, service, flags, hints.get(), &info);
  if (result == -FI_ENODATA) {
    hints->tx_attr->op_flags = 0;
    result = fi_getinfo(kOfiVersion, node, service, flags, hints.get(), &info);
  }
  if (result != 0) {
    return Status::Unavailable(fmt::format(
        "libfabric offers no provider {} for {}:{}: {}", NameOf(provider),
        node == nullptr ? "" : node, service == nullptr ? "" : service, fi_strerror(-result)));
  }
  InfoPtr found(info);
  if ((found->domain_attr->mr_mode & FI_MR_LOCAL) != 0) {
    return Status::Unavailable(
        fmt::format("libfabric's provider {} wants local buffers registered", NameOf(provider)));
  }
  return found;
}

Status OfiError(const char* what, int64_t result) {
  return Status::Unavailable(
      fmt::format("libfabric: {}: {}", what, fi_strerror(static_cast<int>(-result))));
}

}  // namespace tandem::rdma
