// Mutator: a thread's attachment to a heap; what it allocates with.
//
// Construct one on the thread's stack; it attaches the constructing thread until destroyed (by
// the same thread, before the heap). The thread's stack is scanned for references conservatively,
// so raw T* in its frames keep objects alive. One Mutator a thread and heap.
// Stacks are scanned one by one, so a raw T* must not wander from one thread's stack to another's
// by a way that the collector does not see (a global, a native queue): hand it over in a Member or
// a Persistent.
//
// An attached thread must reach a *safepoint* now and then, or the collector (and whoever waits
// for it) waits: allocation, every slow path of a barrier, Safepoint() and BlockingScope are
// safepoints. A thread that will sleep, wait for a lock or I/O, or compute for long without
// touching the heap does so inside a BlockingScope; one that is attached to several heaps needs
// one for each.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "tandem/heap.h"
#include "tandem/internal/layout.h"
#include "tandem/internal/saved_registers.h"

namespace tandem {

template <typename T>
class Member;

namespace internal {

class MutatorImpl;

}  // namespace internal

class Mutator {
 public:
  explicit Mutator(Heap& heap);
  ~Mutator();
  Mutator(const Mutator&) = delete;
  Mutator& operator=(const Mutator&) = delete;

  Heap& heap() const { return heap_; }

  // Lets the collector have its turn with this thread, if it wants one.
  void Safepoint();

  // Brings all pages of [start, start + bytes) in, with many reads in flight, in one call.
  // A hint for speed: pages may leave again at any time.
  void FetchRange(const void* start, size_t bytes);

  // Asks for the page where the target of `member` begins, or for all pages of [start, start +
  // bytes), and returns at once: they come in while the thread goes on. Nothing of what is asked
  // for is touched, and it is not a safepoint. A hint for speed: of what is far, as much comes as
  // there is room for just now; it costs other pages their place, and if it is not used soon it may
  // leave again. Without effect on null, on what is local and on what is not in this heap.
  template <typename T>
  void Prefetch(const Member<T>& member) {
    // Relaxed: it is a hint, and only the address counts.
    const uintptr_t target = member.slot_.load(std::memory_order_relaxed);
    PrefetchRange(reinterpret_cast<const void*>(target), 1);
  }
  void PrefetchRange(const void* start, size_t bytes);

  // Has the object's destructor run once it is dead: see Heap::RunFinalizers.
  void AddFinalizable(void* object);

  internal::MutatorImpl& impl() { return *impl_; }

  // Memory for one object of `bytes` (ObjectBytes of its payload), zeroed, with its header and
  // side-table bits set; null when the heap is full and a collection did not help.
  // `kLeaf`: the type has no trace function.
  template <bool kLeaf>
  void* Allocate(const internal::TypeInfo* type, size_t bytes) {
    using internal::Header;
    internal::AllocationRegion& region = regions_[kLeaf];
    const uintptr_t start = region.cursor;
    if (__builtin_expect(bytes > region.limit - start, 0)) return AllocateSlow(type, bytes);
    region.cursor = start + bytes;
    SetBit(starts_bias_, start);
    SetBit(ends_bias_, start + bytes - internal::kGranuleBytes);
    // Release: a tracer that acquires the header finds the zeroed payload behind it.
    __atomic_store_n(reinterpret_cast<Header*>(start), internal::MakeHeader(type, bytes),
                     __ATOMIC_RELEASE);
    return reinterpret_cast<void*>(start + internal::kHeaderBytes);
  }

 private:
  friend class internal::MutatorImpl;

  [[gnu::noinline]] void* AllocateSlow(const internal::TypeInfo* type, size_t bytes);

  // Only the thread that owns the region writes these words; others read them at safepoints of
  // this thread, or tolerate missing an object that is only now being born.
  static void SetBit(uintptr_t table_bias, uintptr_t address) {
    const uintptr_t granule = address >> internal::kGranuleShift;
    auto* word = reinterpret_cast<uint64_t*>(table_bias + (granule >> 6) * sizeof(uint64_t));
    const uint64_t bit = uint64_t{1} << (granule & 63);
    __atomic_store_n(word, __atomic_load_n(word, __ATOMIC_RELAXED) | bit, __ATOMIC_RELAXED);
  }

  internal::AllocationRegion regions_[2];  // with references, leaves
  // Where the heap's side tables (runtime/heap/side_tables.h) would begin if they covered the
  // address space from zero, so that an address is an index.
  uintptr_t starts_bias_ = 0;
  uintptr_t ends_bias_ = 0;
  Heap& heap_;
  std::unique_ptr<internal::MutatorImpl> impl_;
};

// While it exists this thread promises not to touch the heap, and the collector does not wait
// for it. Nests.
class BlockingScope {
 public:
  [[gnu::always_inline]] explicit BlockingScope(Mutator& mutator) : mutator_(mutator) {
    registers_.Save();
    Enter();
  }
  ~BlockingScope();
  BlockingScope(const BlockingScope&) = delete;
  BlockingScope& operator=(const BlockingScope&) = delete;

 private:
  [[gnu::noinline]] void Enter();

  Mutator& mutator_;
  internal::SavedRegisters registers_;
};

// Keeps the pages of a range local while it exists, so that the kernel (system calls return EFAULT
// on far pages, and on others while pages near them leave) or a device may access them. Pinned
// pages count against the local budget; pinning more than half of it ends the process with a
// message. Any attached thread.
class PinScope {
 public:
  PinScope(Mutator& mutator, const void* start, size_t bytes);
  ~PinScope();
  PinScope(const PinScope&) = delete;
  PinScope& operator=(const PinScope&) = delete;

 private:
  Mutator& mutator_;
  uintptr_t start_;
  size_t bytes_;
};

}  // namespace tandem
