// GarbageCollected<T>: the base of every class whose objects live in a managed heap.
//
//   struct Node : tandem::GarbageCollected<Node> {
//     void Trace(tandem::Visitor* visitor) const { visitor->Trace(next); }
//     tandem::Member<Node> next;
//   };
//
// A class with references has a public `void Trace(Visitor*) const` that visits every Member and
// WeakMember, its bases' included. The collector calls it from its own threads while the
// application runs, possibly while the constructor runs: it must read nothing but such members
// and fields that never change after construction. A class without Trace is a leaf: the
// collector never looks inside, nor fetches the pages of its objects.
//
// Objects live on pages that come and go: they must not contain anything that others hold the
// address of and access without barriers or outside the process (mutexes that the kernel waits
// on, buffers of pending system calls: see PinScope), nor own native memory unless they have a
// destructor. A class with a non-trivial destructor is *finalized*: see Heap::RunFinalizers.
#pragma once

#include <cstddef>

namespace tandem {

template <typename T>
class GarbageCollected {
 public:
  // Managed objects are made by MakeGarbageCollected and die by collection, never by hand.
  static void* operator new(size_t) = delete;
  static void* operator new[](size_t) = delete;
  static void operator delete(void*) {}

 protected:
  GarbageCollected() = default;
};

}  // namespace tandem
