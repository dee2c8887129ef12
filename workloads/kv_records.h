// What the key-value store is made of: keys, and entries that tie them to values.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "tandem/allocation.h"
#include "tandem/member.h"
#include "workloads/kv_trace.h"
#include "workloads/kv_value.h"
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
