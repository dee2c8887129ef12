// Member<T>, WeakMember<T>: references inside managed objects.
//
// A Member is a field of a managed object (or an element of an Array). It keeps its target
// alive. A WeakMember does not, and reads as null once the target is dead.
//
// Get() makes sure that the page where the target begins is local before it returns: warm, it
// costs one load and one test more than a raw pointer. The T* may be kept on the stack as long
// as one likes: the collector finds it there (stacks are scanned conservatively, objects do not
// move); if its page has been evicted meanwhile, touching it faults the page in.
//
// Threads: any attached thread may read and write; two threads that race on the same member need
// their own synchronisation for what they mean by it, but each sees an old or a new reference,
// never a torn one. Access from threads that are not attached to the heap is an error.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "tandem/internal/barrier.h"
#include "tandem/visitor.h"

namespace tandem {

template <typename T>
class Member {
 public:
  constexpr Member() = default;
  Member(std::nullptr_t) {}  // NOLINT: implicit, as for a raw pointer
  // NOLINTNEXTLINE: implicit, as for a raw pointer
  Member(T* target) { StoreFirst(reinterpret_cast<uintptr_t>(target)); }
  // Copying a reference does not touch its target's page.
  Member(const Member& other) { StoreFirst(other.slot_.load(std::memory_order_relaxed)); }
  Member& operator=(const Member& other) {
    Store(other.slot_.load(std::memory_order_relaxed));
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

  // Relaxed: what the target's bytes are is for the application to synchronise; the tracer, which
  // has no such agreement, loads with acquire.
  T* Get() const {
    T* target = reinterpret_cast<T*>(slot_.load(std::memory_order_relaxed));
    internal::AccessBarrier(target);
    return target;
  }
  void Set(T* target) { Store(reinterpret_cast<uintptr_t>(target)); }

  T* operator->() const { return Get(); }
  T& operator*() const { return *Get(); }
  operator T*() const { return Get(); }  // NOLINT: implicit, as for a raw pointer

  // Tests of the reference itself; they touch no page.
  explicit operator bool() const { return slot_.load(std::memory_order_relaxed) != 0; }
  friend bool operator==(const Member& a, const Member& b) {
    return a.slot_.load(std::memory_order_relaxed) == b.slot_.load(std::memory_order_relaxed);
  }
  friend bool operator==(const Member& a, std::nullptr_t) { return !static_cast<bool>(a); }

 private:
  friend class Mutator;
  friend class Visitor;

  // Release: a tracer that finds the reference must find the target's header.
  void Store(uintptr_t value) {
    internal::StoreBarrier(&slot_, value);
    slot_.store(value, std::memory_order_release);
  }
  void StoreFirst(uintptr_t value) {
    internal::FirstStoreBarrier(&slot_, value);
    slot_.store(value, std::memory_order_release);
  }

  std::atomic<uintptr_t> slot_{0};
};

template <typename T>
class WeakMember {
 public:
  constexpr WeakMember() = default;
  WeakMember(T* target) { Set(target); }  // NOLINT: implicit, as for a raw pointer
  WeakMember(const WeakMember& other) { Set(other.Get()); }
  WeakMember& operator=(const WeakMember& other) {
    Set(other.Get());
    return *this;
  }
  WeakMember& operator=(T* target) {
    Set(target);
    return *this;
  }

  // The target, or null if it has died. What is returned stays alive while it is on the stack.
  T* Get() const {
    uintptr_t value = slot_.load(std::memory_order_relaxed);
    if (__builtin_expect(internal::t_store_armed.load(std::memory_order_relaxed) != 0, 0)) {
      value = internal::WeakLoadSlow(&slot_);
    }
    T* target = reinterpret_cast<T*>(value);
    internal::AccessBarrier(target);
    return target;
  }
  void Set(T* target) {
    const auto value = reinterpret_cast<uintptr_t>(target);
    internal::StoreBarrier(&slot_, value);
    slot_.store(value, std::memory_order_release);
  }

  T* operator->() const { return Get(); }
  explicit operator bool() const { return Get() != nullptr; }

 private:
  friend class Visitor;
  std::atomic<uintptr_t> slot_{0};
};

}  // namespace tandem
