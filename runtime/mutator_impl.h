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
  MutatorImpl(Mutator& mutator, HeapImpl& heap) : mutator_(mutator), heap_(heap) {}

  std::optional<uintptr_t> TryAllocate(bool leaf, size_t bytes, heap::Effort effort);

  Mutator& mutator_;
  HeapImpl& heap_;
  std::unique_ptr<tracer::MutatorThread> thread_;
  uint64_t allocations_ = 0;  // counted only where HeapOptions::collect_every asks for it
};

}  // namespace tandem::internal
