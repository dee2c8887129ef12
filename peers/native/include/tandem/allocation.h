// MakeGarbageCollected<T>, for a peer: memory of its memory manager, zeroed, and the constructor.
//
// The contract of include/tandem/allocation.h. Objects have no header; finalizers are not offered,
// since no workload uses one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>
#include <type_traits>
#include <utility>

#include "tandem/garbage_collected.h"
#include "tandem/mutator.h"
#include "tandem/visitor.h"

namespace tandem {

struct AdditionalBytes {
  size_t value;
};

namespace internal {

template <typename T>
concept HasTrace = requires(const T& object, Visitor* visitor) {
  object.Trace(visitor);
};

}  // namespace internal

template <typename T, typename... Args>
[[nodiscard]] T* MakeGarbageCollected(Mutator&, AdditionalBytes extra, Args&&... args) {
  static_assert(std::is_base_of_v<GarbageCollected<T>, T>, "derive T from GarbageCollected<T>");
  static_assert(std::is_trivially_destructible_v<T>, "peers have no finalizers");
  if (extra.value > SIZE_MAX / 2) return nullptr;
  const auto kind = internal::HasTrace<T> ? peers::Content::kReferences : peers::Content::kData;
  void* memory = peers::AllocateZeroed(sizeof(T) + extra.value, kind);
  return memory == nullptr ? nullptr : ::new (memory) T(std::forward<Args>(args)...);
}

template <typename T, typename... Args>
[[nodiscard]] T* MakeGarbageCollected(Mutator& mutator, Args&&... args) {
  return MakeGarbageCollected<T>(mutator, AdditionalBytes{0}, std::forward<Args>(args)...);
}

}  // namespace tandem
