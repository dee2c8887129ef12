#include "tandem/internal/barrier.h"

#include "runtime/base/check.h"
#include "runtime/heap_impl.h"
#include "runtime/tracer/mutator_thread.h"

namespace tandem::internal {

using tracer::MutatorThread;

void AccessSlow(const void* p) noexcept {
  const auto address = reinterpret_cast<uintptr_t>(p);
  MutatorThread* self = MutatorThread::Find(address);
  TANDEM_CHECK(self != nullptr, "a managed reference was used by a thread that is not attached");
  self->Poll();
  swap::Pager& pager = self->space().pager;
  const swap::PageIndex page = self->space().PageOf(address);
  if (pager.IsLocal(page)) {
    pager.MakeLocal(page, self->port(), swap::Cause::kMutator);  // notes the touch
  } else {
    self->RunSafely([&] { pager.MakeLocal(page, self->port(), swap::Cause::kMutator); });
  }
  self->NoteAccess(address);
  self->RecordAccess(address);
}

void StoreSlow(const std::atomic<uintptr_t>* slot, uintptr_t value) noexcept {
  // The slot may lie outside of all heaps (Persistent), so the thread's heaps are all asked; each
  // logs only references into itself.
  for (MutatorThread* self : MutatorThread::OfThisThread()) {
    if (self == nullptr) break;
    self->Poll();
    self->RecordStore(reinterpret_cast<uintptr_t>(slot), value);
    if (!self->logging()) continue;
    // Relaxed: the reference was published to this thread's synchronisation, not by this load.
    self->LogStore(slot->load(std::memory_order_relaxed), value);
    self->NoteStore(reinterpret_cast<uintptr_t>(slot), value);
  }
}

uintptr_t WeakLoadSlow(const std::atomic<uintptr_t>* slot) noexcept {
  const uintptr_t value = slot->load(std::memory_order_relaxed);
  MutatorThread* self = MutatorThread::Find(value);
  if (self == nullptr) return value;
  return self->logging() ? self->LoadWeak(*slot) : value;
}

}  // namespace tandem::internal
