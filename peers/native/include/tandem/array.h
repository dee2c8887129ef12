// Array<T>, for a peer: as include/tandem/array.h, without barriers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "tandem/allocation.h"
#include "tandem/member.h"

namespace tandem {

namespace internal {

template <typename T>
struct IsReference : std::false_type {};
template <typename T>
struct IsReference<Member<T>> : std::true_type {};

}  // namespace internal

template <typename T>
class Array : public GarbageCollected<Array<T>> {
  static_assert(internal::IsReference<T>::value || std::is_trivially_copyable_v<T>,
                "elements are references or plain data");

 public:
  static Array* Make(Mutator& mutator, size_t length) {
    if (length > SIZE_MAX / 4 / sizeof(T)) return nullptr;
    return MakeGarbageCollected<Array>(mutator, AdditionalBytes{length * sizeof(T)}, length);
  }

  explicit Array(size_t length) : length_(length) {}

  size_t length() const { return length_; }
  T* data() { return reinterpret_cast<T*>(this + 1); }
  const T* data() const { return reinterpret_cast<const T*>(this + 1); }

  T& operator[](size_t index) { return data()[index]; }
  const T& operator[](size_t index) const { return data()[index]; }

  void Trace(Visitor*) const requires internal::IsReference<T>::value {}

 private:
  const size_t length_;
};

}  // namespace tandem
