// KeyStamp: the beginning and the length of a key, which mostly tell how it compares with others.
//
// Keys are ordered by their bytes, as unsigned characters. Plain values, any thread.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace tandem::workloads::mapreduce {

struct KeyStamp {
  uint64_t prefix;  // the first 8 bytes as a number, the first byte highest, zeros behind the end
  uint32_t length;
};

inline KeyStamp StampOf(std::string_view key) {
  uint64_t prefix = 0;
  static_assert(std::endian::native == std::endian::little);
  if (!key.empty()) std::memcpy(&prefix, key.data(), key.size() < 8 ? key.size() : 8);
  return {__builtin_bswap64(prefix), static_cast<uint32_t>(key.size())};
}

// Below, equal to or above 0 as `a` comes before, is or comes after `b`. Calls compare_keys(),
// which returns the same of the whole keys, if their stamps do not tell.
template <typename CompareKeys>
int Compare(const KeyStamp& a, const KeyStamp& b, const CompareKeys& compare_keys) {
  if (a.prefix != b.prefix) return a.prefix < b.prefix ? -1 : 1;
  if (a.length > 8 && b.length > 8) return compare_keys();
  // One of the keys is all in its prefix, so it is the beginning of the other.
  return a.length == b.length ? 0 : a.length < b.length ? -1 : 1;
}

}  // namespace tandem::workloads::mapreduce
