// HeapImpl: the parts of a heap, put together behind the API.
#pragma once

#include <memory>

#include "rdma/fabric.h"
#include "runtime/base/metrics.h"
#include "runtime/heap/block_pool.h"
#include "runtime/heap/finalizers.h"
#include "runtime/heap/roots.h"
#include "runtime/heap/space.h"
#include "runtime/prefetch/throttle.h"
#include "runtime/swap/pager.h"
#include "runtime/tracer/collector.h"
#include "tandem/heap.h"

namespace tandem::internal {

// Built and torn down in this order; see each part for its threads.
class HeapImpl {
 public:
  static StatusOr<std::unique_ptr<HeapImpl>> Create(const HeapOptions& options);

  const HeapOptions options;
  base::Registry registry;
  std::unique_ptr<rdma::Fabric> fabric;
  std::unique_ptr<prefetch::Throttle> throttle;
  std::unique_ptr<swap::Pager> pager;
  std::unique_ptr<heap::Space> space;
  std::unique_ptr<heap::BlockPool> pool;
  heap::Roots roots;
  heap::Finalizers finalizers;
  std::unique_ptr<tracer::Collector> collector;

  HeapMemory Memory() const;

  // A mutator's port, with a prefetcher of its own.
  StatusOr<std::unique_ptr<swap::Port>> OpenPort();

 private:
  explicit HeapImpl(HeapOptions o) : options(std::move(o)) {}
};

}  // namespace tandem::internal
