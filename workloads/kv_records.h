// What the key-value store is made of: keys, values, and entries that tie them together.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "tandem/allocation.h"
#include "tandem/member.h"
#include "workloads/kv_trace.h"
#include "workloads/random.h"
#include "workloads/text.h"

namespace tandem::workloads {

// A key as clients name it, in native memory: `user` and 16 digits, which are scattered over all
// numbers so that their order is not that of insertion.
class KvKey {
 public:
  static constexpr size_t kLength = 20;

  explicit KvKey(uint64_t id) : number_(Mix(id)) {
    std::memcpy(chars_.data(), "user", 4);
    for (size_t i = 0; i < 16; ++i) {
      chars_[4 + i] = "0123456789abcdef"[number_ >> (60 - 4 * i) & 15];
    }
    hash_ = HashWord(view());
  }

  std::string_view view() const { return {chars_.data(), chars_.size()}; }
  uint64_t number() const { return number_; }  // orders keys as their characters do
  uint32_t hash() const { return hash_; }
  uint64_t shard() const { return number_ % kKvShards; }

 private:
  uint64_t number_;
  std::array<char, kLength> chars_;
  uint32_t hash_;
};

// How long values are: any number of bytes from `min` to `max` equally often.
struct KvValueSizes {
  uint64_t min;
  uint64_t max;
  uint64_t Of(uint64_t stamp) const { return min + Random(stamp).Below(max - min + 1); }
};

// Writes the `bytes` bytes of the value with that stamp, which are random.
inline void FillKvValue(char* to, size_t bytes, uint64_t stamp) {
  Random random(stamp + 1);
  for (; bytes >= 8; bytes -= 8, to += 8) {
    const uint64_t word = random.Next();
    std::memcpy(to, &word, 8);
  }
  const uint64_t word = random.Next();
  std::memcpy(to, &word, bytes);
}

// Bytes that never change; they follow the object itself, in one piece. As Text, but for the hash.
class KvValue : public GarbageCollected<KvValue> {
 public:
  // Null: the heap is full.
  static KvValue* Make(Mutator& mutator, uint64_t bytes, uint64_t stamp) {
    return MakeGarbageCollected<KvValue>(mutator, AdditionalBytes{bytes}, bytes, stamp);
  }

  KvValue(uint64_t bytes, uint64_t stamp) : length_(bytes) {
    FillKvValue(reinterpret_cast<char*>(this + 1), bytes, stamp);
  }

  std::string_view view() const { return {reinterpret_cast<const char*>(this + 1), length_}; }

 private:
  const uint64_t length_;
};

struct KvEntry : GarbageCollected<KvEntry> {
  KvEntry(Text* k, KvValue* v, KvEntry* n) : key(k), value(v), next(n), hash(k->hash()) {}
  void Trace(Visitor* visitor) const {
    visitor->Trace(key);
    visitor->Trace(value);
    visitor->Trace(next);
  }
  Member<Text> key;
  Member<KvValue> value;
  Member<KvEntry> next;  // in the same bucket
  const uint32_t hash;   // of the key, which can so stay far when hashes differ
};

}  // namespace tandem::workloads
