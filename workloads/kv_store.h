// KvShard: one part of a key-value store on the managed heap: a hash table with chained entries,
// and on request an ordered index of the same entries.
//
// Keys and values are objects of their own. A value is never changed: an update makes another one
// and leaves the old one to the collector. The table does not grow; it is made for the number
// of records that the store keeps. A shard belongs to one thread at a time.
#pragma once

#include <cstdint>
#include <string_view>

#include "tandem/array.h"
#include "workloads/kv_ordered_index.h"
#include "workloads/kv_records.h"

namespace tandem::workloads {

class KvShard : public GarbageCollected<KvShard> {
 public:
  using Buckets = Array<Member<KvEntry>>;

  // For about so many records. Null: the heap is full.
  static KvShard* Make(Mutator& mutator, uint64_t records, bool ordered);

  KvShard(Buckets* buckets, KvOrderedIndex* index) : buckets_(buckets), index_(index) {}
  void Trace(Visitor* visitor) const {
    visitor->Trace(buckets_);
    visitor->Trace(index_);
  }

  // Null if there is none.
  KvEntry* Find(const KvKey& key) const;

  // The key must not be there. False: the heap is full; the shard is as it was.
  [[nodiscard]] bool Insert(Mutator& mutator, const KvKey& key, KvValue* value);

  // False if there is none.
  bool Remove(const KvKey& key);

  // Null unless made ordered.
  const KvOrderedIndex* index() const { return index_; }

  // Buckets of a shard for so many records.
  static uint64_t BucketsFor(uint64_t records);

 private:
  Member<KvEntry>& BucketOf(const KvKey& key) const;

  Member<Buckets> buckets_;  // a power of two of them
  Member<KvOrderedIndex> index_;
};

}  // namespace tandem::workloads
