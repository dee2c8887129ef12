// The barriers: what compiled code does on each access to a managed reference. Not for users.
//
// Access barrier: one state byte a page; zero means "local, and touched in this epoch". The byte
// of address `a` is g_page_states[a >> 12]: one map serves the whole address space of the
// process, reserved when the first heap is created, zero wherever there is no heap (so null needs
// no test of its own). runtime/swap/page_state.h tells what the other values mean.
//
// Write barrier: one word a thread; zero means "no heap of this thread is marking, nobody has
// asked for a handshake".
//
// A code generator can emit the same two tests: both addresses are fixed once a heap exists.
#pragma once

#include <atomic>
#include <cstdint>

#include "tandem/internal/layout.h"

namespace tandem::internal {

extern std::atomic<uint8_t>* g_page_states;

// Non-zero while stores of this thread must take the slow path. Changed by this thread and by
// the collectors of the heaps that it is attached to.
extern __thread std::atomic<uint32_t> t_store_armed;
// The same for the first store to a reference that is being constructed. The marker need not hear
// of it: it overwrites nothing, and publishing the object that holds the reference is a store of
// its own. Only a recording does.
extern __thread std::atomic<uint32_t> t_first_store_armed;

// Brings the page of `p` in, or notes that it was touched; polls for a handshake. Returns when
// the page is local. Ends in the heap's lost-page handler if it cannot be.
[[gnu::cold, gnu::noinline]] void AccessSlow(const void* p) noexcept;

// Tells the marker about the reference that is about to be overwritten in `slot` (and, early in
// a cycle, about the new one); polls for a handshake. Must be followed by the store.
[[gnu::cold, gnu::noinline]] void StoreSlow(const std::atomic<uintptr_t>* slot,
                                            uintptr_t value) noexcept;

// The weak load's slow path: null if the target is dead, else the target, kept alive.
[[gnu::cold, gnu::noinline]] uintptr_t WeakLoadSlow(const std::atomic<uintptr_t>* slot) noexcept;

// Relaxed: a stale zero is caught by the MMU (SIGBUS, same fetch), a stale non-zero costs one
// slow path. The page's bytes are ordered by the kernel's page-table update, not by this load.
inline void AccessBarrier(const void* p) {
  const auto page = reinterpret_cast<uintptr_t>(p) >> kPageShift;
  if (__builtin_expect(g_page_states[page].load(std::memory_order_relaxed) != 0, 0)) AccessSlow(p);
}

// Relaxed: the word is changed either by this thread or by the collector while this thread is
// stopped at a safepoint, which orders it; a request to poll may be seen late.
inline void StoreBarrier(const std::atomic<uintptr_t>* slot, uintptr_t value) {
  if (__builtin_expect(t_store_armed.load(std::memory_order_relaxed) != 0, 0)) {
    StoreSlow(slot, value);
  }
}

// For a slot that holds null and that no other thread can know of yet.
inline void FirstStoreBarrier(const std::atomic<uintptr_t>* slot, uintptr_t value) {
  if (__builtin_expect(t_first_store_armed.load(std::memory_order_relaxed) != 0, 0)) {
    StoreSlow(slot, value);
  }
}

}  // namespace tandem::internal
