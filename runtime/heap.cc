#include "tandem/heap.h"

#include <algorithm>
#include <string>

#include "runtime/base/check.h"
#include "runtime/heap_impl.h"
#include "runtime/mutator_impl.h"
#include "runtime/prefetch/early_reader.h"
#include "runtime/prefetch/prefetcher.h"
#include "runtime/record/recorder.h"
#include "runtime/swap/replacement.h"
#include "runtime/tracer/order.h"
#include "tandem/persistent.h"
#include "tandem/recording.h"

namespace tandem {
namespace internal {
namespace {

constexpr uint64_t kMaxHeapBytes = uint64_t{1} << 44;
constexpr uint64_t kMinHeapBytes = uint64_t{1} << 20;

// How many pages may be prefetched and not used yet, as a share of the budget.
constexpr size_t kUnusedShare = 8;
constexpr size_t kMinUnused = 8;

}  // namespace

StatusOr<std::unique_ptr<HeapImpl>> HeapImpl::Create(const HeapOptions& options) {
  if (options.heap_bytes < kMinHeapBytes || options.heap_bytes > kMaxHeapBytes) {
    return Status::InvalidArgument("a heap of " + std::to_string(options.heap_bytes) +
                                   " bytes: must be between 1 MiB and 16 TiB");
  }
  if (auto p = prefetch::MakePrefetcher(options.prefetcher); !p.ok()) return p.status();
  std::unique_ptr<HeapImpl> heap(new HeapImpl(options));
  auto fabric = rdma::Fabric::Open(options.fabric);
  if (!fabric.ok()) return fabric.status();
  heap->fabric = std::move(*fabric);

  const uint64_t bytes = base::RoundUp(options.heap_bytes, heap::kBlockBytes);
  // All local: a budget that no heap of that size can use up, so that nothing is ever evicted.
  const uint64_t all = bytes + (bytes / 16) + HeapOptions::kMinLocalBytes + (4u << 20);
  const size_t local_pages = std::min(options.local_bytes, all) / base::kPageSize;
  heap->throttle =
      std::make_unique<prefetch::Throttle>(std::max(local_pages / kUnusedShare, kMinUnused));
  auto on_lost = [handler = options.on_lost_page](const void* address, const char* reason) {
    if (handler) handler(LostPage{address, reason});
  };
  auto pager = swap::Pager::Create({.heap_bytes = bytes,
                                    .local_pages = local_pages,
                                    .replacement = options.replacement,
                                    .use_move = options.use_move,
                                    .protect_dead = options.protect_dead,
                                    .show_every_access = options.recording != nullptr,
                                    .on_lost = std::move(on_lost),
                                    .prefetched = heap->throttle.get()},
                                   *heap->fabric, heap->registry);
  if (!pager.ok()) return pager.status();
  heap->pager = std::move(*pager);
  auto space = heap::Space::Create(*heap->pager);
  if (!space.ok()) return space.status();
  heap->space = std::make_unique<heap::Space>(std::move(*space));
  record::Recorder* const recorder =
      options.recording != nullptr ? &options.recording->impl() : nullptr;
  if (recorder != nullptr && !recorder->Begin(heap->space->blocks.base(), bytes)) {
    return Status::InvalidArgument("a Recording holds what one heap did, and this one has had its");
  }
  heap->pool = std::make_unique<heap::BlockPool>(*heap->space);
  auto collector = tracer::Collector::Create({.order = options.order,
                                              .tracers = options.tracer_threads,
                                              .growth = options.growth,
                                              .automatic = options.automatic,
                                              .verify = options.verify,
                                              .protect_dead = options.protect_dead,
                                              .recorder = recorder},
                                             *heap->space, *heap->pool, heap->roots,
                                             heap->finalizers, heap->registry);
  if (!collector.ok()) return collector.status();
  heap->collector = std::move(*collector);
  return heap;
}

StatusOr<std::unique_ptr<swap::Port>> HeapImpl::OpenPort() {
  auto prefetcher = prefetch::MakePrefetcher(options.prefetcher);
  if (!prefetcher.ok()) return prefetcher.status();
  std::unique_ptr<swap::AccessObserver> reader;
  if (*prefetcher != nullptr) {
    reader = std::make_unique<prefetch::EarlyReader>(std::move(*prefetcher), *throttle, *pager);
  }
  return pager->OpenPort(std::move(reader));
}

HeapMemory HeapImpl::Memory() const {
  const auto& budget = pager->budget();
  const uint64_t used = uint64_t{pool->used()} * heap::kBlockBytes;
  HeapMemory m;
  m.heap_used_bytes = collector->live_bytes() + pool->allocated_bytes();
  m.local_bytes = budget.taken() * base::kPageSize;
  m.local_peak_bytes = budget.peak() * base::kPageSize;
  m.local_limit_bytes = budget.limit() * base::kPageSize;
  m.footprint_peak_bytes = pager->footprint().peak() * base::kPageSize;
  m.staging_bytes = pager->staging_bytes();
  m.metadata_bytes = heap::SideTables::BytesFor(used) +
                     uint64_t{pool->used()} * sizeof(heap::Block) +
                     pager->table().used() * swap::PageTable::kBytesPerPage;
  return m;
}

// A root slot that the heap lends to a Persistent.
RootSlot::RootSlot(Heap& heap) : heap_(heap), slot_(heap.impl().roots.Lend()) {}

RootSlot::~RootSlot() {
  Store(0);
  heap_.impl().roots.Return(slot_);
}

}  // namespace internal

Heap::Heap(std::unique_ptr<internal::HeapImpl> impl) : impl_(std::move(impl)) {}

StatusOr<std::unique_ptr<Heap>> Heap::Create(const HeapOptions& options) {
  auto impl = internal::HeapImpl::Create(options);
  if (!impl.ok()) return impl.status();
  return std::unique_ptr<Heap>(new Heap(std::move(*impl)));
}

Heap::~Heap() {
  TANDEM_CHECK(impl_->collector->handshakes().threads() == 0,
               "a heap was destroyed while threads were attached to it");
}

void Heap::Collect() { impl_->collector->Collect(); }

void Heap::RequestCollection() { impl_->collector->Request(); }

size_t Heap::RunFinalizers(size_t max) {
  tracer::MutatorThread* self = tracer::MutatorThread::Find(impl_->space->blocks.base());
  TANDEM_CHECK(self != nullptr, "RunFinalizers needs a thread that is attached to the heap");
  size_t ran = 0;
  // The object leaves the queue of roots: this slot holds it until its destructor has run.
  internal::RootSlot held(*this);
  while (ran < max) {
    const uintptr_t reference =
        impl_->finalizers.Pop([&](uintptr_t object) { held.Store(object); });
    if (reference == 0) break;
    internal::AccessBarrier(reinterpret_cast<void*>(reference));
    const auto header = *reinterpret_cast<internal::Header*>(heap::HeaderOf(reference));
    internal::TypeOfHeader(header)->finalize(reinterpret_cast<void*>(reference));
    ++ran;
    self->Poll();
  }
  return ran;
}

std::map<std::string, uint64_t> Heap::Counters() const {
  auto counters = impl_->registry.Snapshot();
  const rdma::FabricStats fabric = impl_->fabric->Stats();
  for (size_t lane = 0; lane < rdma::kLaneCount; ++lane) {
    const std::string name = std::string("fabric.") + rdma::kLaneNames[lane];
    counters[name + ".read_bytes"] = fabric.read_bytes[lane];
    counters[name + ".written_bytes"] = fabric.written_bytes[lane];
  }
  counters["fabric.lent_bytes"] = fabric.lent_bytes;
  counters["fabric.discarded_bytes"] = fabric.discarded_bytes;
  counters["fabric.faults_injected"] = fabric.faults_injected;
  return counters;
}

HeapMemory Heap::Memory() const { return impl_->Memory(); }

std::string Heap::GrowthTrouble() const { return impl_->pool->GrowthTrouble().message(); }

Components ListComponents() {
  Components all;
  for (const auto& o : tracer::ListOrders()) all.orders.push_back({o.name, o.summary});
  for (const auto& p : prefetch::ListPrefetchers()) all.prefetchers.push_back({p.name, p.summary});
  for (const auto& r : swap::ListReplacements()) all.replacements.push_back({r.name, r.summary});
  for (const auto& f : rdma::ListFabrics()) all.fabrics.push_back({f.name, f.summary});
  return all;
}

}  // namespace tandem
