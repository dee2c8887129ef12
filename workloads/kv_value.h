// KvValue: what the key-value store and the cache hold: a small record, as applications keep them.
//
//   KvValue
//     fields[0..3] -> KvBytes     a quarter of the value each
//     list -> KvListItem -> ...   in one value in four, instead of the last field
//       bytes -> KvBytes          up to 32 bytes
//
// Nothing of it changes once it is made: an update makes another value, and all objects of the old
// one are garbage. Any attached thread.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "tandem/allocation.h"
#include "tandem/member.h"
#include "workloads/random.h"

namespace tandem::workloads {

// How long values are: any number of bytes from `min` to `max` equally often.
struct KvValueSizes {
  uint64_t min;
  uint64_t max;
  uint64_t Of(uint64_t stamp) const { return min + Random(stamp).Below(max - min + 1); }
};

// Writes the next `bytes` random bytes; whole words, unless they are the last.
inline void FillKvBytes(char* to, size_t bytes, Random& random) {
  for (; bytes >= 8; bytes -= 8, to += 8) {
    const uint64_t word = random.Next();
    std::memcpy(to, &word, 8);
  }
  if (bytes == 0) return;
  const uint64_t word = random.Next();
  std::memcpy(to, &word, bytes);
}

// The bytes of the value with that stamp, which are random.
inline std::string KvValueBytes(uint64_t bytes, uint64_t stamp) {
  Random random(stamp + 1);
  std::string all(bytes, 0);
  FillKvBytes(all.data(), bytes, random);
  return all;
}

// Bytes that never change; they follow the object itself, in one piece. As Text, but for the hash.
class KvBytes : public GarbageCollected<KvBytes> {
 public:
  // Null: the heap is full.
  static KvBytes* Make(Mutator& mutator, uint64_t bytes, Random& random) {
    return MakeGarbageCollected<KvBytes>(mutator, AdditionalBytes{bytes}, bytes, random);
  }

  KvBytes(uint64_t bytes, Random& random) : length_(bytes) {
    FillKvBytes(reinterpret_cast<char*>(this + 1), bytes, random);
  }

  std::string_view view() const { return {reinterpret_cast<const char*>(this + 1), length_}; }

 private:
  const uint64_t length_;
};

struct KvListItem : GarbageCollected<KvListItem> {
  explicit KvListItem(KvBytes* b) : bytes(b) {}
  void Trace(Visitor* visitor) const {
    visitor->Trace(bytes);
    visitor->Trace(next);
  }
  Member<KvBytes> bytes;
  Member<KvListItem> next;
};

// What a value with all that belongs to it takes up on the heap, on average.
uint64_t MeanKvValueBytes(KvValueSizes sizes);

class KvValue : public GarbageCollected<KvValue> {
 public:
  static constexpr uint64_t kFields = 4;
  static constexpr uint64_t kListItemBytes = 32;

  // Null: the heap is full.
  static KvValue* Make(Mutator& mutator, uint64_t bytes, uint64_t stamp);

  explicit KvValue(uint64_t bytes) : length_(bytes) {}
  void Trace(Visitor* visitor) const {
    visitor->TraceRange(fields_, kFields);
    visitor->Trace(list_);
  }

  // Calls use(std::string_view) for one part after the other; all but the last are whole words.
  template <typename F>
  void ForAllParts(const F& use) const {
    for (const Member<KvBytes>& field : fields_) {
      if (field) use(field->view());
    }
    for (const KvListItem* item = list_; item != nullptr; item = item->next) {
      use(item->bytes->view());
    }
  }

  // Of all bytes, as if they were in one piece.
  uint64_t Hash() const {
    ByteHasher hasher(length_);
    ForAllParts([&hasher](std::string_view part) { hasher.Add(part); });
    return hasher.Get();
  }

 private:
  Member<KvBytes> fields_[kFields];
  Member<KvListItem> list_;
  const uint64_t length_;
};

}  // namespace tandem::workloads
