#include "tandem/mutator.h"

#include <algorithm>

#include "runtime/base/check.h"
#include "runtime/base/clock.h"
#include "runtime/base/timeline.h"
#include "runtime/mutator_impl.h"

namespace tandem {
namespace internal {
namespace {

// An object of more than a line that does not fit is put elsewhere if the region still has this
// much room for smaller ones.
constexpr size_t kWorthKeeping = heap::kLineBytes;
// How many collections are waited for before memory is declared exhausted.
constexpr int kCollectionsBeforeGivingUp = 2;

}  // namespace

std::unique_ptr<MutatorImpl> MutatorImpl::Attach(Mutator& mutator, HeapImpl& heap) {
  auto port = heap.OpenPort();
  if (!port.ok()) {
    heap.pager->LostFabric("a thread cannot be attached", port.status().message().c_str());
  }
  std::unique_ptr<MutatorImpl> impl(new MutatorImpl(heap, mutator.regions_));
  impl->thread_ = std::make_unique<tracer::MutatorThread>(*heap.collector, *heap.space, *heap.pool,
                                                          std::move(*port), impl->regions_);
  mutator.starts_bias_ = heap.space->tables.Bias(heap.space->tables.starts());
  mutator.ends_bias_ = heap.space->tables.Bias(heap.space->tables.ends());
  heap.collector->handshakes().Join(*impl->thread_);
  return impl;
}

MutatorImpl::~MutatorImpl() { heap_.collector->handshakes().Leave(*thread_); }

std::optional<uintptr_t> MutatorImpl::TryAllocate(bool leaf, size_t bytes, heap::Effort effort) {
  heap::ThreadAllocator& allocator = thread_->allocator();
  if (bytes > heap::kMediumBytes) return allocator.AllocateLarge(leaf, bytes);
  if (bytes > kSmallBytes) return allocator.AllocateMedium(leaf, bytes, effort);
  // Where a cycle is wanted at every Nth allocation, none may take the inlined path.
  if (heap_.options.collect_every != 0) return allocator.AllocateOverflow(leaf, bytes, effort);
  AllocationRegion& region = regions_[leaf];
  if (bytes <= region.limit - region.cursor) {
    const uintptr_t object = region.cursor;
    region.cursor += bytes;
    return object;
  }
  if (bytes > heap::kLineBytes && region.limit - region.cursor >= kWorthKeeping) {
    return allocator.AllocateOverflow(leaf, bytes, effort);
  }
  const auto next = allocator.NextRegion(leaf, bytes, effort);
  if (!next) return std::nullopt;
  region = {next->start + bytes, next->end};
  return next->start;
}

void* MutatorImpl::AllocateSlow(const TypeInfo* type, size_t bytes) {
  const bool leaf = type->trace == nullptr;
  tracer::Collector& collector = *heap_.collector;
  thread_->Poll();
  if (heap_.options.collect_every != 0 && ++allocations_ % heap_.options.collect_every == 0) {
    collector.Collect();
  }
  collector.Trigger();

  auto object = TryAllocate(leaf, bytes, heap::Effort::kCheap);
  for (int tries = 0; !object; ++tries) {
    object = TryAllocate(leaf, bytes, heap::Effort::kLastResort);
    if (object || tries == kCollectionsBeforeGivingUp) break;
    const uint64_t start = base::NowNs();
    collector.Collect();
    const uint64_t end = base::NowNs();
    collector.metrics().stalls.Record(end - start);
    base::Trace(base::Span::kStall, start, end, bytes);
    object = TryAllocate(leaf, bytes, heap::Effort::kCheap);
  }
  if (!object) return nullptr;
  heap_.space->tables.AddObject(*object, bytes);
  thread_->RecordBirth(*object, bytes, leaf);
  __atomic_store_n(reinterpret_cast<Header*>(*object), MakeHeader(type, bytes), __ATOMIC_RELEASE);
  return reinterpret_cast<void*>(*object + kHeaderBytes);
}

}  // namespace internal

Mutator::Mutator(Heap& heap)
    : heap_(heap), impl_(internal::MutatorImpl::Attach(*this, heap.impl())) {}

Mutator::~Mutator() = default;

void Mutator::Safepoint() { impl_->thread().Poll(); }

void Mutator::AddFinalizable(void* object) {
  impl_->heap().finalizers.Watch(reinterpret_cast<uintptr_t>(object));
}

void Mutator::FetchRange(const void* start, size_t bytes) {
  if (bytes == 0) return;
  heap::Space& space = *impl_->heap().space;
  const auto address = reinterpret_cast<uintptr_t>(start);
  TANDEM_DCHECK(space.blocks.Contains(address) && space.blocks.Contains(address + bytes - 1),
                "the range is not in this heap");
  const auto first = space.PageOf(address);
  const auto last = space.PageOf(address + bytes - 1);
  tracer::MutatorThread& thread = impl_->thread();
  thread.RunSafely([&] { space.pager.MakeRangeLocal(first, last - first + 1, thread.port()); });
  thread.RecordPages(record::Kind::kRange, first, last - first + 1);
}

void Mutator::PrefetchRange(const void* start, size_t bytes) {
  if (bytes == 0) return;
  swap::Pager& pager = *impl_->heap().pager;
  const auto address = reinterpret_cast<uintptr_t>(start);
  if (!pager.table().Contains(address)) return;
  // The pager cuts off what is beyond the heap.
  const swap::PageIndex first = pager.table().PageOf(address);
  const size_t in_first = address % base::kPageSize;
  const size_t count = (bytes - 1) / base::kPageSize +
                       (in_first + (bytes - 1) % base::kPageSize) / base::kPageSize + 1;
  pager.FetchRangeEarly(first, count);
  const swap::PageIndex end = std::min(first + count, pager.table().used());
  if (first < end) impl_->thread().RecordPages(record::Kind::kHint, first, end - first);
}

void* Mutator::AllocateSlow(const internal::TypeInfo* type, size_t bytes) {
  return impl_->AllocateSlow(type, bytes);
}

void BlockingScope::Enter() { mutator_.impl().thread().EnterSafe(); }

BlockingScope::~BlockingScope() { mutator_.impl().thread().LeaveSafe(); }

PinScope::PinScope(Mutator& mutator, const void* start, size_t bytes)
    : mutator_(mutator), start_(reinterpret_cast<uintptr_t>(start)), bytes_(bytes) {
  if (bytes_ == 0) return;
  heap::Space& space = *mutator_.impl().heap().space;
  TANDEM_DCHECK(space.blocks.Contains(start_) && space.blocks.Contains(start_ + bytes_ - 1),
                "the range is not in this heap");
  tracer::MutatorThread& thread = mutator_.impl().thread();
  const auto first = space.PageOf(start_);
  const auto last = space.PageOf(start_ + bytes_ - 1);
  thread.RunSafely([&] { space.pager.Pin(first, last - first + 1, thread.port()); });
  thread.RecordPages(record::Kind::kRange, first, last - first + 1);
}

PinScope::~PinScope() {
  if (bytes_ == 0) return;
  heap::Space& space = *mutator_.impl().heap().space;
  const auto first = space.PageOf(start_);
  const auto last = space.PageOf(start_ + bytes_ - 1);
  space.pager.Unpin(first, last - first + 1);
}

}  // namespace tandem
