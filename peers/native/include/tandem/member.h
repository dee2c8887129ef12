// Member<T>, for a peer: a word that holds the address, and no barrier.
//
// Loads and stores have the orders of include/tandem/member.h, so that threads which race see the
// same. There is no WeakMember: no workload uses one.
#pragma once

#include <atomic>
#include <cstddef>

#include "tandem/visitor.h"

namespace tandem {

template <typename T>
class Member {
 public:
  constexpr Member() = default;
  Member(std::nullptr_t) {}             // NOLINT: implicit, as for a raw pointer
  Member(T* target) : slot_(target) {}  // NOLINT: implicit, as for a raw pointer
  Member(const Member& other) : slot_(other.Get()) {}
  Member& operator=(const Member& other) {
    Set(other.Get());
    return *this;
  }
  Member& operator=(T* target) {
    Set(target);
    return *this;
  }
  Member& operator=(std::nullptr_t) {
    Set(nullptr);
    return *this;
  }

  // Relaxed: what the target's bytes are is for the application to synchronise.
  T* Get() const { return slot_.load(std::memory_order_relaxed); }
  // Release, as the original; costs nothing where stores are ordered anyway.
  void Set(T* target) { slot_.store(target, std::memory_order_release); }

  T* operator->() const { return Get(); }
  T& operator*() const { return *Get(); }
  operator T*() const { return Get(); }  // NOLINT: implicit, as for a raw pointer

  explicit operator bool() const { return Get() != nullptr; }
  friend bool operator==(const Member& a, const Member& b) { return a.Get() == b.Get(); }
  friend bool operator==(const Member& a, std::nullptr_t) { return a.Get() == nullptr; }

 private:
  std::atomic<T*> slot_{nullptr};
};

}  // namespace tandem
