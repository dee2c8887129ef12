// LruCache: a cache of a fixed number of entries on the managed heap, that drops what was not used
// for longest.
//
// A hash table with chained entries, all of which are in a list by last use, too. Belongs to one
// thread at a time.
#pragma once

#include <cstdint>

#include "tandem/array.h"
#include "workloads/kv_records.h"

namespace tandem::workloads {

class LruCache : public GarbageCollected<LruCache> {
 public:
  struct Entry : GarbageCollected<Entry> {
    Entry(Text* k, KvValue* v) : key(k), value(v), hash(k->hash()) {}
    void Trace(Visitor* visitor) const {
      visitor->Trace(key);
      visitor->Trace(value);
      visitor->Trace(next_in_bucket);
      visitor->Trace(newer);
      visitor->Trace(older);
    }
    Member<Text> key;
    Member<KvValue> value;
    Member<Entry> next_in_bucket;
    Member<Entry> newer;
    Member<Entry> older;
    const uint32_t hash;  // of the key, which can so stay far when hashes differ
  };

  // Null: the heap is full.
  static LruCache* Make(Mutator& mutator, uint64_t capacity);

  // Buckets of a cache of that capacity.
  static uint64_t BucketsFor(uint64_t capacity);

  using Buckets = Array<Member<Entry>>;
  LruCache(Buckets* buckets, uint64_t capacity) : buckets_(buckets), capacity_(capacity) {}
  void Trace(Visitor* visitor) const {
    visitor->Trace(buckets_);
    visitor->Trace(newest_);
    visitor->Trace(oldest_);
  }

  // A use. Null if it is not there.
  const KvValue* Get(const KvKey& key);

  // A use. Takes the place of what was there under this key, or of the entry that was not used for
  // longest if the cache is full. False: the heap is full; the cache is as it was.
  [[nodiscard]] bool Put(Mutator& mutator, const KvKey& key, KvValue* value);

  const Entry* newest() const { return newest_; }
  uint64_t size() const { return size_; }
  uint64_t evictions() const { return evictions_; }

 private:
  Member<Entry>& BucketOf(uint32_t hash) const {
    Buckets& buckets = *buckets_;
    return buckets[Mix(hash) & (buckets.length() - 1)];
  }
  Entry* Find(const KvKey& key) const;
  void PutInFront(Entry* entry);
  void TakeOut(Entry* entry);
  void DropOldest();

  Member<Buckets> buckets_;  // a power of two of them
  Member<Entry> newest_;
  Member<Entry> oldest_;
  const uint64_t capacity_;
  uint64_t size_ = 0;
  uint64_t evictions_ = 0;
};

}  // namespace tandem::workloads
