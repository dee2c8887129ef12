// AnyValue: a managed object whose class only those who made it know; how engines pass objects of
// their users through. And what they throw when one cannot be made.
//
// Any attached thread.
#pragma once

#include <exception>
#include <type_traits>

#include "tandem/garbage_collected.h"

namespace tandem::workloads {

// No object is of this class itself.
struct AnyValue : GarbageCollected<AnyValue> {};

// The collector knows an object by its address alone, so a reference may forget its class.
template <typename T>
AnyValue* Forget(T* value) {
  static_assert(std::is_base_of_v<GarbageCollected<T>, T>, "values are managed objects");
  return reinterpret_cast<AnyValue*>(value);
}

// The other way. T must be what the value was made as.
template <typename T>
T* As(AnyValue* value) {
  static_assert(std::is_base_of_v<GarbageCollected<T>, T>, "values are managed objects");
  return reinterpret_cast<T*>(value);
}

// Passes through functions of an engine's user, which should not catch it, to the engine.
class HeapExhausted : public std::exception {
 public:
  const char* what() const noexcept override { return "the heap is full"; }
};

}  // namespace tandem::workloads
