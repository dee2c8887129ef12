// MakeGarbageCollected<T>: makes an object in a managed heap.
//
//   Node* node = tandem::MakeGarbageCollected<Node>(mutator, constructor arguments...);
//
// The calling thread must own `mutator`. Returns null when the heap is full and a whole
// collection did not make room: the caller decides what to give up. The memory is zeroed before
// the constructor runs. A safepoint.
#pragma once

#include <cstddef>
#include <new>
#include <type_traits>
#include <utility>

#include "tandem/garbage_collected.h"
#include "tandem/mutator.h"
#include "tandem/visitor.h"

namespace tandem {

// Extra bytes behind the object, for arrays that grow out of its end.
struct AdditionalBytes {
  size_t value;
};

namespace internal {

template <typename T>
concept HasTrace = requires(const T& object, Visitor* visitor) {
  object.Trace(visitor);
};

template <typename T>
void TraceThunk(const void* object, Visitor* visitor) {
  static_cast<const T*>(object)->Trace(visitor);
}
template <typename T>
void FinalizeThunk(void* object) {
  static_cast<T*>(object)->~T();
}

template <typename T>
constexpr const char* TypeName() {
  return __PRETTY_FUNCTION__;  // the type's name is part of it
}

// Constants, so that an allocation tests no guard of a static.
template <typename T>
constexpr TypeInfo MakeTypeInfo() {
  TypeInfo info{TypeName<T>(), nullptr, nullptr};
  if constexpr (HasTrace<T>) info.trace = &TraceThunk<T>;
  if constexpr (!std::is_trivially_destructible_v<T>) info.finalize = &FinalizeThunk<T>;
  return info;
}
template <typename T>
inline constexpr TypeInfo kTypeInfo = MakeTypeInfo<T>();

}  // namespace internal

template <typename T, typename... Args>
[[nodiscard]] T* MakeGarbageCollected(Mutator& mutator, AdditionalBytes extra, Args&&... args) {
  static_assert(std::is_base_of_v<GarbageCollected<T>, T>, "derive T from GarbageCollected<T>");
  static_assert(alignof(T) <= 8, "managed objects are aligned to 8 bytes");
  if (extra.value > SIZE_MAX / 2) return nullptr;
  void* memory = mutator.Allocate<!internal::HasTrace<T>>(
      &internal::kTypeInfo<T>, internal::ObjectBytes(sizeof(T) + extra.value));
  if (memory == nullptr) return nullptr;
  T* object = ::new (memory) T(std::forward<Args>(args)...);
  if constexpr (!std::is_trivially_destructible_v<T>) mutator.AddFinalizable(object);
  return object;
}

template <typename T, typename... Args>
[[nodiscard]] T* MakeGarbageCollected(Mutator& mutator, Args&&... args) {
  return MakeGarbageCollected<T>(mutator, AdditionalBytes{0}, std::forward<Args>(args)...);
}

}  // namespace tandem
