// GroupTable: a managed hash table from a word to the list of its values; the "group" of word
// count.
//
// Chained buckets that double when there are as many groups as buckets. Belongs to the one
// thread that fills it.
#pragma once

#include <cstdint>

#include "workloads/wordcount_records.h"

namespace tandem::workloads {

// A link of a list of values.
struct ValueCell : GarbageCollected<ValueCell> {
  ValueCell(Count* v, ValueCell* n) : value(v), next(n) {}
  void Trace(Visitor* visitor) const {
    visitor->Trace(value);
    visitor->Trace(next);
  }
  Member<Count> value;
  Member<ValueCell> next;
};

struct Group : GarbageCollected<Group> {
  Group(Text* k, uint32_t h, Group* n) : key(k), next(n), hash(h) {}
  void Trace(Visitor* visitor) const {
    visitor->Trace(key);
    visitor->Trace(values);
    visitor->Trace(next);
  }
  Member<Text> key;
  Member<ValueCell> values;
  Member<Group> next;   // in the same bucket
  const uint32_t hash;  // of the key, which can so stay far when hashes differ
};

class GroupTable : public GarbageCollected<GroupTable> {
 public:
  using Buckets = Array<Member<Group>>;

  // Null: the heap is full.
  static GroupTable* Make(Mutator& mutator);

  explicit GroupTable(Buckets* buckets) : buckets_(buckets) {}
  void Trace(Visitor* visitor) const { visitor->Trace(buckets_); }

  // Adds a value to the group of `key`. False: the heap is full; the table is as it was.
  [[nodiscard]] bool Add(Mutator& mutator, Text* key, Count* value);

  uint64_t size() const { return size_; }
  Buckets* buckets() const { return buckets_; }

 private:
  Group* Find(Text* key) const;
  bool Grow(Mutator& mutator);

  Member<Buckets> buckets_;  // a power of two of them
  uint64_t size_ = 0;
};

}  // namespace tandem::workloads
