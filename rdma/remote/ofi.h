// What both ends need of libfabric: owning handles, providers by name, errors as Status.
//
// PrepareLibfabric() sets variables of the environment that libfabric reads, so it must come
// before other threads exist; the rest any thread may call. GetInfo comes before all else: it loads
// the library. Linked, it would hold up every start by a fifth of a second, while one of its
// providers measures the processor's clock.
#pragma once

#include <rdma/fabric.h>
#include <rdma/fi_cm.h>
#include <rdma/fi_domain.h>
#include <rdma/fi_endpoint.h>
#include <rdma/fi_eq.h>
#include <rdma/fi_errno.h>
#include <rdma/fi_rma.h>

#include <cstdint>
#include <memory>
#include <string>

#include "rdma/remote/provider.h"
#include "tandem/status.h"

namespace tandem::rdma {

inline constexpr uint32_t kOfiVersion = FI_VERSION(1, 17);

// Closes what it points to. Declare in the order of opening: a parent before its children.
struct FidCloser {
  template <typename Fid>
  void operator()(Fid* fid) const {
    (void)fi_close(&fid->fid);
  }
};
template <typename Fid>
using FidPtr = std::unique_ptr<Fid, FidCloser>;

// libfabric's own functions; all others are inline and go through its objects.
struct OfiLibrary {
  decltype(&fi_getinfo) getinfo = nullptr;
  decltype(&fi_freeinfo) freeinfo = nullptr;
  decltype(&fi_dupinfo) dupinfo = nullptr;
  decltype(&fi_fabric) fabric = nullptr;
  decltype(&fi_strerror) strerror = nullptr;
};
// After GetInfo.
const OfiLibrary& Ofi();

struct InfoFreer {
  void operator()(fi_info* info) const { Ofi().freeinfo(info); }
};
using InfoPtr = std::unique_ptr<fi_info, InfoFreer>;

void PrepareLibfabric();

// The provider's offer for one-sided transfers. `node` and `service` as in fi_getinfo; null: any.
StatusOr<InfoPtr> GetInfo(Provider provider, const char* node, const char* service, uint64_t flags);

// Where an endpoint is, as text; for providers without connections.
StatusOr<std::string> AddressOf(fid_ep& endpoint);
// Back into what libfabric wants, with zeroes behind it: some addresses are texts.
StatusOr<std::string> DecodeAddress(const std::string& address);
StatusOr<fi_addr_t> InsertAddress(fid_av& addresses, const std::string& address);

// An error of the call `what`, as fi_strerror says it; `result` is what it returned.
Status OfiError(const char* what, int64_t result);

}  // namespace tandem::rdma
