#include "workloads/kv_store.h"

#include <algorithm>
#include <bit>

namespace tandem::workloads {

uint64_t KvShard::BucketsFor(uint64_t records) {
  return std::bit_ceil(std::max<uint64_t>(records, 8));
}

KvShard* KvShard::Make(Mutator& mutator, uint64_t records, bool ordered) {
  Buckets* buckets = Buckets::Make(mutator, BucketsFor(records));
  if (buckets == nullptr) return nullptr;
  KvOrderedIndex* index = nullptr;
  if (ordered) {
    index = KvOrderedIndex::Make(mutator);
    if (index == nullptr) return nullptr;
  }
  return MakeGarbageCollected<KvShard>(mutator, buckets, index);
}

// Mixed once more: keys of a shard have bits in common, and so may their hashes.
Member<KvEntry>& KvShard::BucketOf(const KvKey& key) const {
  Buckets& buckets = *buckets_;
  return buckets[Mix(key.hash()) & (buckets.length() - 1)];
}

KvEntry* KvShard::Find(const KvKey& key) const {
  for (KvEntry* entry = BucketOf(key); entry != nullptr; entry = entry->next) {
    if (entry->hash == key.hash() && entry->key->view() == key.view()) return entry;
  }
  return nullptr;
}

bool KvShard::Insert(Mutator& mutator, const KvKey& key, KvValue* value) {
  Text* text = Text::Make(mutator, key.view());
  if (text == nullptr) return false;
  KvEntry* entry = MakeGarbageCollected<KvEntry>(mutator, text, value, BucketOf(key).Get());
  if (entry == nullptr) return false;
  if (index_ && !index_->Insert(mutator, key.number(), entry)) return false;
  BucketOf(key) = entry;
  return true;
}

bool KvShard::Remove(const KvKey& key) {
  KvEntry* found = Find(key);
  if (found == nullptr) return false;
  if (index_) index_->Remove(key.number());
  Member<KvEntry>& bucket = BucketOf(key);
  KvEntry* before = bucket;
  if (before == found) {
    bucket = found->next;
    return true;
  }
  while (before->next.Get() != found) before = before->next;
  before->next = found->next;
  return true;
}

}  // namespace tandem::workloads
