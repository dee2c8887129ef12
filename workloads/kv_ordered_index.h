// KvOrderedIndex: a skip list of entries by number, on the managed heap.
//
// A node holds its number, so a search touches nodes only. Its height is decided by its number, so
// the same content has the same shape. Belongs to one thread at a time.
#pragma once

#include <cstdint>

#include "workloads/kv_records.h"

namespace tandem::workloads {

class KvOrderedIndex : public GarbageCollected<KvOrderedIndex> {
 public:
  // The nodes' references to those after them, one a level, follow the node itself.
  class Node : public GarbageCollected<Node> {
   public:
    static Node* Make(Mutator& mutator, uint64_t number, uint64_t height, KvEntry* entry) {
      return MakeGarbageCollected<Node>(mutator, AdditionalBytes{height * sizeof(Member<Node>)},
                                        number, height, entry);
    }

    Node(uint64_t number, uint64_t height, KvEntry* entry)
        : entry_(entry), number_(number), height_(height) {}
    void Trace(Visitor* visitor) const {
      visitor->Trace(entry_);
      visitor->TraceRange(tower(), height_);
    }

    KvEntry* entry() const { return entry_; }
    uint64_t number() const { return number_; }
    uint64_t height() const { return height_; }
    const Member<Node>& next(size_t level = 0) const { return tower()[level]; }
    Member<Node>& next(size_t level = 0) { return const_cast<Member<Node>*>(tower())[level]; }

   private:
    const Member<Node>* tower() const { return reinterpret_cast<const Member<Node>*>(this + 1); }

    Member<KvEntry> entry_;
    const uint64_t number_;
    const uint64_t height_;
  };

  // Bytes of fields that a node has on average.
  static constexpr uint64_t kMeanNodeBytes = sizeof(Node) + 4 * sizeof(Member<Node>) / 3;

  // Null: the heap is full.
  static KvOrderedIndex* Make(Mutator& mutator);

  explicit KvOrderedIndex(Node* head) : head_(head) {}
  void Trace(Visitor* visitor) const { visitor->Trace(head_); }

  // The first node whose number is not below this one; null if there is none.
  Node* Seek(uint64_t number) const;

  // The number must not be there. False: the heap is full; the index is as it was.
  [[nodiscard]] bool Insert(Mutator& mutator, uint64_t number, KvEntry* entry);

  // The number must be there.
  void Remove(uint64_t number);

 private:
  static constexpr unsigned kMaxHeight = 12;

  // The last node before `number` on each level.
  struct Path {
    Node* before[kMaxHeight];
  };
  Path Descend(uint64_t number) const;

  Member<Node> head_;  // as high as can be; it has no entry
};

}  // namespace tandem::workloads
