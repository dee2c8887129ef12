// KeyTable<Entry>: a hash table on the managed heap, from whole numbers to entries.
//
// Entry has `const int64_t key` and `Member<Entry> next`, which belongs to the table. Chained;
// grows by doubling. Belongs to one thread while it changes.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tandem/array.h"
#include "workloads/random.h"

namespace tandem::workloads::frames {

template <typename Entry>
class KeyTable : public GarbageCollected<KeyTable<Entry>> {
 public:
  using Buckets = Array<Member<Entry>>;

  // Null: the heap is full.
  static KeyTable* Make(Mutator& mutator) {
    auto* buckets = Buckets::Make(mutator, kFirstBuckets);
    return buckets == nullptr ? nullptr : MakeGarbageCollected<KeyTable>(mutator, buckets);
  }

  explicit KeyTable(Buckets* buckets) : buckets_(buckets) {}
  void Trace(Visitor* visitor) const { visitor->Trace(buckets_); }

  size_t size() const { return size_; }

  // Null if there is none.
  Entry* Find(int64_t key) const {
    Entry* entry = BucketOf(*buckets_, key);
    while (entry != nullptr && entry->key != key) entry = entry->next;
    return entry;
  }

  // Of a key that is not there yet. False: the heap is full, and the entry is not in.
  [[nodiscard]] bool Insert(Mutator& mutator, Entry* entry) {
    if (size_ == buckets_->length() && !Grow(mutator)) return false;
    Link(*buckets_, entry);
    ++size_;
    return true;
  }

  // Calls visit(entry), in no particular order. An entry may be touched, the table must not change.
  template <typename Visit>
  void ForEach(const Visit& visit) const {
    const Buckets& buckets = *buckets_;
    for (size_t i = 0; i < buckets.length(); ++i) {
      for (Entry* entry = buckets[i]; entry != nullptr; entry = entry->next) visit(*entry);
    }
  }

 private:
  static constexpr size_t kFirstBuckets = 16;  // a power of two

  static Member<Entry>& BucketOf(Buckets& buckets, int64_t key) {
    return buckets[Mix(static_cast<uint64_t>(key)) & (buckets.length() - 1)];
  }

  static void Link(Buckets& buckets, Entry* entry) {
    Member<Entry>& bucket = BucketOf(buckets, entry->key);
    entry->next = bucket;
    bucket = entry;
  }

  bool Grow(Mutator& mutator) {
    auto* larger = Buckets::Make(mutator, 2 * buckets_->length());
    if (larger == nullptr) return false;
    const Buckets& old = *buckets_;
    for (size_t i = 0; i < old.length(); ++i) {
      for (Entry* entry = old[i]; entry != nullptr;) {
        Entry* next = entry->next;
        Link(*larger, entry);
        entry = next;
      }
    }
    buckets_ = larger;
    return true;
  }

  Member<Buckets> buckets_;
  size_t size_ = 0;
};

}  // namespace tandem::workloads::frames
