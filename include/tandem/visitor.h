// Visitor: through which a Trace method shows its references to the collector.
//
// Used only inside Trace, on the thread that calls it. Collects references; looks at none.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace tandem {

template <typename T>
class Member;
template <typename T>
class WeakMember;

class Visitor {
 public:
  template <typename T>
  void Trace(const Member<T>& member) {
    AddStrong(member.slot_.load(std::memory_order_acquire));
  }
  template <typename T>
  void Trace(const WeakMember<T>& member) {
    AddWeak(&member.slot_, member.slot_.load(std::memory_order_acquire));
  }
  template <typename T>
  void TraceRange(const Member<T>* first, size_t count) {
    for (size_t i = 0; i < count; ++i) Trace(first[i]);
  }

 protected:
  Visitor() = default;
  ~Visitor() = default;

  void UseBuffer(uintptr_t* first, uintptr_t* limit) {
    cursor_ = first;
    limit_ = limit;
  }

  // The buffer is full: process what is in it and reset cursor_.
  virtual void Overflow() = 0;
  virtual void AddWeak(const std::atomic<uintptr_t>* slot, uintptr_t target) = 0;

  void AddStrong(uintptr_t reference) {
    if (reference == 0) return;
    if (cursor_ == limit_) Overflow();
    *cursor_++ = reference;
  }

  uintptr_t* cursor_ = nullptr;
  uintptr_t* limit_ = nullptr;
};

}  // namespace tandem
