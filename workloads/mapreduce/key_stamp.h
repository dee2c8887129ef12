// KeyStamp: the beginning and the length of a key, which mostly tell how it compares with others.
//
// Keys are ordered by their bytes, as unsigned characters. Plain values, any thread.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "workloads/random.h"

namespace tandem::workloads::mapreduce {

struct KeyStamp {
  uint64_t prefix;  // the first 8 bytes as a number, the first byte highest, zeros behind the end
  uint32_t length;

  // The stamp is all of the key.
  bool is_short() const { return length <= 8; }
};

inline KeyStamp StampOf(std::string_view key) {
  static_assert(std::endian::native == std::endian::little);
  const uint64_t prefix = LoadUpTo8(key.data(), std::min<size_t>(key.size(), 8));
  return {__builtin_bswap64(prefix), static_cast<uint32_t>(key.size())};
}

// A short key, made of its stamp again.
class ShortKey {
 public:
  explicit ShortKey(const KeyStamp& stamp) : length_(stamp.length) {
    const uint64_t word = __builtin_bswap64(stamp.prefix);
    std::memcpy(chars_, &word, sizeof chars_);
  }
  std::string_view view() const { return {chars_, length_}; }

 private:
  char chars_[8];
  const size_t length_;
};

// Below, equal to or above 0 as `a` comes before, is or comes after `b`. Calls compare_keys(),
// which returns the same of the whole keys, if their stamps do not tell.
template <typename CompareKeys>
int Compare(const KeyStamp& a, const KeyStamp& b, const CompareKeys& compare_keys) {
  if (a.prefix != b.prefix) return a.prefix < b.prefix ? -1 : 1;
  if (!a.is_short() && !b.is_short()) return compare_keys();
  // One of the keys is all in its prefix, so it is the beginning of the other.
  return a.length == b.length ? 0 : a.length < b.length ? -1 : 1;
}

}  // namespace tandem::workloads::mapreduce
