// Persistent<T>: a reference into a managed heap from outside of it (globals, native objects).
//
// Keeps its target alive until cleared or destroyed. It belongs to one heap, given at
// construction, and must be destroyed before it. Creating, copying and destroying one takes a
// short lock, so do not use it where a raw T* on the stack or a Member will do. Threads: attached
// threads; two that race on the same Persistent need synchronisation of their own.
#pragma once

#include <atomic>
#include <cstdint>

#include "tandem/heap.h"
#include "tandem/internal/barrier.h"

namespace tandem {

namespace internal {

// A root slot of the heap, registered while it exists.
class RootSlot {
 public:
  explicit RootSlot(Heap& heap);
  ~RootSlot();  // a store of null, then unregistered
  RootSlot(const RootSlot&) = delete;
  RootSlot& operator=(const RootSlot&) = delete;

  uintptr_t Load() const { return slot_->load(std::memory_order_relaxed); }
  void Store(uintptr_t value) {
    StoreBarrier(slot_, value);
    slot_->store(value, std::memory_order_release);  // as Member::Set
  }
  Heap& heap() const { return heap_; }

 private:
  Heap& heap_;
  std::atomic<uintptr_t>* slot_;
};

}  // namespace internal

template <typename T>
class Persistent {
 public:
  explicit Persistent(Heap& heap, T* target = nullptr) : root_(heap) { Set(target); }
  Persistent(const Persistent& other) : root_(other.root_.heap()) { Set(other.Get()); }
  Persistent& operator=(const Persistent& other) {
    Set(other.Get());
    return *this;
  }
  Persistent& operator=(T* target) {
    Set(target);
    return *this;
  }

  T* Get() const {
    T* target = reinterpret_cast<T*>(root_.Load());
    internal::AccessBarrier(target);
    return target;
  }
  void Set(T* target) { root_.Store(reinterpret_cast<uintptr_t>(target)); }

  T* operator->() const { return Get(); }
  T& operator*() const { return *Get(); }
  explicit operator bool() const { return root_.Load() != 0; }

 private:
  internal::RootSlot root_;
};

}  // namespace tandem
