#include "workloads/group_table.h"

namespace tandem::workloads {

namespace {

constexpr size_t kFirstBuckets = 1024;

// Mixed once more: the hash itself has chosen the partition, so its low bits say little here.
size_t BucketOf(uint32_t hash, size_t buckets) {
  return static_cast<size_t>(Mix(hash)) & (buckets - 1);
}

}  // namespace

GroupTable* GroupTable::Make(Mutator& mutator) {
  Buckets* buckets = Buckets::Make(mutator, kFirstBuckets);
  return buckets == nullptr ? nullptr : MakeGarbageCollected<GroupTable>(mutator, buckets);
}

Group* GroupTable::Find(Text* key) const {
  const uint32_t hash = key->hash();
  Buckets& buckets = *buckets_;
  for (Group* group = buckets[BucketOf(hash, buckets.length())]; group != nullptr;
       group = group->next) {
    if (group->hash == hash && group->key->view() == key->view()) return group;
  }
  return nullptr;
}

bool GroupTable::Add(Mutator& mutator, Text* key, Count* value) {
  Group* group = Find(key);
  if (group == nullptr) {
    if (size_ == buckets_->length() && !Grow(mutator)) return false;
    Member<Group>& bucket = (*buckets_)[BucketOf(key->hash(), buckets_->length())];
    group = MakeGarbageCollected<Group>(mutator, key, key->hash(), bucket.Get());
    if (group == nullptr) return false;
    bucket = group;
    ++size_;
  }
  ValueCell* cell = MakeGarbageCollected<ValueCell>(mutator, value, group->values.Get());
  if (cell == nullptr) return false;
  group->values = cell;
  return true;
}

bool GroupTable::Grow(Mutator& mutator) {
  Buckets* old = buckets_;
  Buckets* grown = Buckets::Make(mutator, old->length() * 2);
  if (grown == nullptr) return false;
  for (size_t i = 0; i < old->length(); ++i) {
    for (Group* group = (*old)[i]; group != nullptr;) {
      Group* next = group->next;
      Member<Group>& bucket = (*grown)[BucketOf(group->hash, grown->length())];
      group->next = bucket;
      bucket = group;
      group = next;
    }
  }
  buckets_ = grown;
  return true;
}

}  // namespace tandem::workloads
