// Persistent<T>, for a peer: a root, in memory that its collector scans.
//
// The contract of include/tandem/persistent.h.
#pragma once

#include <atomic>

#include "peers/native/backend.h"
#include "tandem/heap.h"

namespace tandem {

template <typename T>
class Persistent {
 public:
  explicit Persistent(Heap& heap, T* target = nullptr) : heap_(heap), slot_(peers::NewRoot()) {
    Set(target);
  }
  Persistent(const Persistent& other) : Persistent(other.heap_, other.Get()) {}
  ~Persistent() { peers::DeleteRoot(slot_); }
  Persistent& operator=(const Persistent& other) {
    if (this != &other) Set(other.Get());
    return *this;
  }
  Persistent& operator=(T* target) {
    Set(target);
    return *this;
  }

  T* Get() const { return static_cast<T*>(slot_->load(std::memory_order_relaxed)); }
  // Release, as Member::Set.
  void Set(T* target) { slot_->store(target, std::memory_order_release); }

  T* operator->() const { return Get(); }
  T& operator*() const { return *Get(); }
  explicit operator bool() const { return Get() != nullptr; }

 private:
  Heap& heap_;
  peers::Root* slot_;
};

}  // namespace tandem
