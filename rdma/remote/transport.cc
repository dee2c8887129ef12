#include "rdma/remote/transport.h"

#include <utility>

#include "rdma/remote/libfabric_transport.h"
#include "rdma/remote/mapped/mapped_transport.h"
#include "rdma/remote/verbs/verbs_transport.h"

namespace tandem::rdma {

StatusOr<std::unique_ptr<Transport>> Transport::Open(TransportOptions options) {
  switch (options.provider) {
    case Provider::kShm:
      return MappedTransport::Open(options);
    case Provider::kVerbs:
      return VerbsTransport::Open(std::move(options));
    default:
      return LibfabricTransport::Open(std::move(options));
  }
}

}  // namespace tandem::rdma
