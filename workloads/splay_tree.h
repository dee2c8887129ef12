// SplayTree: a search tree that moves every key that is asked for to its root, on the managed heap.
//
// As Sleator and Tarjan describe it, top-down. Belongs to one thread at a time.
#pragma once

#include <cstdint>

#include "tandem/array.h"
#include "workloads/text.h"

namespace tandem::workloads {

// A binary tree of a given depth, whose leaves have ten numbers and a text with the key in it.
class SplayPayload : public GarbageCollected<SplayPayload> {
 public:
  using Numbers = Array<uint64_t>;
  static constexpr uint64_t kNumbers = 10;

  // Null: the heap is full.
  static SplayPayload* Make(Mutator& mutator, uint64_t depth, uint64_t key);

  void Trace(Visitor* visitor) const {
    visitor->Trace(left_);
    visitor->Trace(right_);
    visitor->Trace(numbers_);
    visitor->Trace(text_);
  }

  // Of what its first leaf holds.
  uint64_t Hash() const;

 private:
  // Either two children, or what a leaf has.
  Member<SplayPayload> left_;
  Member<SplayPayload> right_;
  Member<Numbers> numbers_;
  Member<Text> text_;
};

class SplayTree : public GarbageCollected<SplayTree> {
 public:
  struct Node : GarbageCollected<Node> {
    Node(uint64_t k, SplayPayload* p) : payload(p), key(k) {}
    void Trace(Visitor* visitor) const {
      visitor->Trace(left);
      visitor->Trace(right);
      visitor->Trace(payload);
    }
    Member<Node> left;
    Member<Node> right;
    Member<SplayPayload> payload;
    const uint64_t key;
  };

  void Trace(Visitor* visitor) const { visitor->Trace(root_); }

  // Null if there is none. All look-ups change the tree's shape.
  Node* Find(uint64_t key);
  Node* GreatestBelow(uint64_t key);

  // The key must not be there. False: the heap is full; the tree holds what it did.
  [[nodiscard]] bool Insert(Mutator& mutator, uint64_t key, SplayPayload* payload);

  // Returns what is no longer in the tree; null if the key was not there.
  Node* Remove(uint64_t key);

 private:
  // Makes the key's node the root; if it is not there, one of its neighbours.
  void Splay(uint64_t key);

  Member<Node> root_;
};

}  // namespace tandem::workloads
