// Mutator, for a peer: a thread that the memory manager knows of.
//
// The contract of include/tandem/mutator.h, of which a peer needs less: it stops threads by signals
// or never, so safepoints and blocking scopes do nothing, and the kernel fetches pages unasked.
#pragma once

#include <cstddef>

#include "peers/native/backend.h"
#include "tandem/heap.h"

namespace tandem {

template <typename T>
class Member;

class Mutator {
 public:
  explicit Mutator(Heap& heap) : heap_(heap), attached_(peers::AttachThread()) {}
  ~Mutator() {
    if (attached_) peers::DetachThread();
  }
  Mutator(const Mutator&) = delete;
  Mutator& operator=(const Mutator&) = delete;

  Heap& heap() const { return heap_; }

  void Safepoint() {}
  void FetchRange(const void*, size_t) {}
  template <typename T>
  void Prefetch(const Member<T>&) {}
  void PrefetchRange(const void*, size_t) {}

 private:
  Heap& heap_;
  const bool attached_;
};

class BlockingScope {
 public:
  explicit BlockingScope(Mutator&) {}
  ~BlockingScope() {}  // not trivial: a scope that nobody names is meant
  BlockingScope(const BlockingScope&) = delete;
  BlockingScope& operator=(const BlockingScope&) = delete;
};

}  // namespace tandem
