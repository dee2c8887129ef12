#include "rdma/remote/transport.h"

#include <utility>

#include "rdma/remote/libfabric_transport.h"
#include "rdma/remote/verbs/verbs_transport.h"

namespace tandem::rdma {

StatusOr<std::unique_ptr<Transport>> Transport::Open(TransportOptions options) {
  return options.provider == Provider::kVerbs ? VerbsTransport::Open(std::move(options))
                                              : LibfabricTransport::Open(std::move(options));
}

}  // namespace tandem::rdma
