// MutatorImpl: an attached thread as the runtime sees it, and its allocation slow path.
//
// Used by its thread only.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "runtime/heap_impl.h"
#include "runtime/tracer/mutator_thread.h"
#include "tandem/mutator.h"

namespace tandem::internal {

class MutatorImpl {
 public:
  static std::unique_ptr<MutatorImpl> Attach(Mutator& mutator, HeapImpl& heap);
  ~MutatorImpl();

  HeapImpl& heap() { return heap_; }
  tracer::MutatorThread& thread() { return *thread_; }

  // The object's payload, or null: see Mutator::Allocate.
  void* AllocateSlow(const TypeInfo* type, size_t bytes);

 private:
  MutatorImpl(HeapImpl& heap, AllocationRegion* regions)
      : heap_(heap), regions_(heap.options.recording == nullptr ? regions : own_regions_) {}

  std::optional<uintptr_t> TryAllocate(bool leaf, size_t bytes, heap::Effort effort);

  HeapImpl& heap_;
  // With references, leaves. The mutator's; our own if each allocation is to come here.
  AllocationRegion own_regions_[2];
  AllocationRegion* const regions_;
  std::unique_ptr<tracer::MutatorThread> thread_;
  uint64_t allocations_ = 0;  // counted only where HeapOptions::collect_every asks for it
};

}  // namespace tandem::internal
