#include "workloads/lru_cache.h"

#include <algorithm>
#include <bit>

namespace tandem::workloads {

uint64_t LruCache::BucketsFor(uint64_t capacity) {
  return std::bit_ceil(std::max<uint64_t>(capacity, 8));
}

LruCache* LruCache::Make(Mutator& mutator, uint64_t capacity) {
  Buckets* buckets = Buckets::Make(mutator, BucketsFor(capacity));
  return buckets == nullptr ? nullptr : MakeGarbageCollected<LruCache>(mutator, buckets, capacity);
}

LruCache::Entry* LruCache::Find(const KvKey& key) const {
  for (Entry* entry = BucketOf(key.hash()); entry != nullptr; entry = entry->next_in_bucket) {
    if (entry->hash == key.hash() && entry->key->view() == key.view()) return entry;
  }
  return nullptr;
}

void LruCache::PutInFront(Entry* entry) {
  entry->older = newest_;
  entry->newer = nullptr;
  if (newest_) {
    newest_->newer = entry;
  } else {
    oldest_ = entry;
  }
  newest_ = entry;
}

void LruCache::TakeOut(Entry* entry) {
  if (entry->newer) {
    entry->newer->older = entry->older;
  } else {
    newest_ = entry->older;
  }
  if (entry->older) {
    entry->older->newer = entry->newer;
  } else {
    oldest_ = entry->newer;
  }
}

void LruCache::DropOldest() {
  Entry* dropped = oldest_;
  TakeOut(dropped);
  Member<Entry>& bucket = BucketOf(dropped->hash);
  Entry* before = bucket;
  if (before == dropped) {
    bucket = dropped->next_in_bucket;
  } else {
    while (before->next_in_bucket.Get() != dropped) before = before->next_in_bucket;
    before->next_in_bucket = dropped->next_in_bucket;
  }
  --size_;
  ++evictions_;
}

const KvValue* LruCache::Get(const KvKey& key) {
  Entry* entry = Find(key);
  if (entry == nullptr) return nullptr;
  TakeOut(entry);
  PutInFront(entry);
  return entry->value;
}

bool LruCache::Put(Mutator& mutator, const KvKey& key, KvValue* value) {
  Entry* entry = Find(key);
  if (entry != nullptr) {
    TakeOut(entry);
    entry->value = value;
  } else {
    Text* text = Text::Make(mutator, key.view());
    entry = text == nullptr ? nullptr : MakeGarbageCollected<Entry>(mutator, text, value);
    if (entry == nullptr) return false;
    if (size_ == capacity_) DropOldest();
    Member<Entry>& bucket = BucketOf(key.hash());
    entry->next_in_bucket = bucket;
    bucket = entry;
    ++size_;
  }
  PutInFront(entry);
  return true;
}

}  // namespace tandem::workloads
