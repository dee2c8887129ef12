// Array<T>: a managed array of Member<U> or of plain data.
//
//   auto* names = tandem::Array<tandem::Member<Name>>::Make(mutator, 1000);
//   auto* bytes = tandem::Array<char>::Make(mutator, text.size());
//
// Elements start zeroed (null). An array of plain data is a leaf. Large arrays cross pages:
// operator[] tests the element's own page; data() gives the bare elements for loops that fetched
// the range first (Mutator::FetchRange) or accept a fault a page. Threads as for Member.
#pragma once

#include <cstddef>
#include <type_traits>

#include "tandem/allocation.h"
#include "tandem/member.h"

namespace tandem {

namespace internal {

template <typename T>
struct IsReference : std::false_type {};
template <typename T>
struct IsReference<Member<T>> : std::true_type {};
template <typename T>
struct IsReference<WeakMember<T>> : std::true_type {};

}  // namespace internal

template <typename T>
class Array : public GarbageCollected<Array<T>> {
  static_assert(internal::IsReference<T>::value || std::is_trivially_copyable_v<T>,
                "elements are references or plain data");

 public:
  // Null when the heap is full, as MakeGarbageCollected.
  static Array* Make(Mutator& mutator, size_t length) {
    if (length > SIZE_MAX / 4 / sizeof(T)) return nullptr;
    return MakeGarbageCollected<Array>(mutator, AdditionalBytes{length * sizeof(T)}, length);
  }

  explicit Array(size_t length) : length_(length) {}

  size_t length() const { return length_; }
  T* data() { return reinterpret_cast<T*>(this + 1); }
  const T* data() const { return reinterpret_cast<const T*>(this + 1); }

  T& operator[](size_t index) {
    T* element = data() + index;
    internal::AccessBarrier(element);
    return *element;
  }
  const T& operator[](size_t index) const { return const_cast<Array&>(*this)[index]; }

  void Trace(Visitor* visitor) const requires internal::IsReference<T>::value {
    for (size_t i = 0; i < length_; ++i) visitor->Trace(data()[i]);
  }

 private:
  const size_t length_;
};

}  // namespace tandem
