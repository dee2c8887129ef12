#include "rdma/remote/data_road.h"

#include <sys/mman.h>

#include <utility>

#include "rdma/remote/libfabric_road.h"
#include "rdma/remote/mapped/mapped_road.h"
#include "rdma/remote/verbs/verbs_road.h"

namespace tandem::rdma {

namespace {

constexpr size_t kHugePageSize = 2 << 20;

}  // namespace

StatusOr<std::unique_ptr<DataRoad>> DataRoad::Open(Provider provider, const std::string& host,
                                                   Admit admit, Log log) {
  switch (provider) {
    case Provider::kShm:
      return std::unique_ptr<DataRoad>(std::make_unique<MappedRoad>());
    case Provider::kVerbs:
      return VerbsRoad::Open(host, std::move(admit), std::move(log));
    default:
      return OpenLibfabricRoad(provider, host, std::move(admit), std::move(log));
  }
}

StatusOr<base::OsMemory> ReserveLentMemory(uint64_t bytes) {
  auto memory = base::OsMemory::Reserve(bytes, kHugePageSize, "lent memory");
  if (!memory.ok()) return memory.status();
  // Makes first touch cheap. A kernel without huge pages refuses; nothing depends on them.
  (void)madvise(memory->data(), bytes, MADV_HUGEPAGE);
  return memory;
}

}  // namespace tandem::rdma
