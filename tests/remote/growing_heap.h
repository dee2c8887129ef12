// A heap of which everything stays alive, for tests of how it grows over memory servers.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "tandem/tandem.hpp"

namespace tandem::rdma {

class GrowingHeap {
 public:
  // All of it local, so that nothing but growing needs the server.
  explicit GrowingHeap(const std::string& fabric)
      : heap_(
            std::move(Heap::Create({.heap_bytes = uint64_t{256} << 20, .fabric = fabric}).value())),
        mutator_(*heap_),
        newest_(*heap_) {}

  Heap& heap() { return *heap_; }

  // By a mebibyte. False: the heap is full.
  bool Grow() {
    Chunk* const chunk = MakeGarbageCollected<Chunk>(mutator_, AdditionalBytes{1 << 20});
    if (chunk == nullptr) return false;
    chunk->older = newest_.Get();
    newest_ = chunk;
    return true;
  }

 private:
  struct Chunk : GarbageCollected<Chunk> {
    void Trace(Visitor* visitor) const { visitor->Trace(older); }
    Member<Chunk> older;
  };

  const std::unique_ptr<Heap> heap_;
  Mutator mutator_;
  Persistent<Chunk> newest_;
};

}  // namespace tandem::rdma
