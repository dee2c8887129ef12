// The order of keys: bytewise, as of unsigned characters, tested by their first 8 bytes first.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace tandem::workloads::mapreduce {

// Ordered as the keys are, as far as 8 bytes tell. A shorter key counts as padded with zeros.
inline uint64_t KeyPrefix(std::string_view key) {
  uint64_t prefix = 0;
  std::memcpy(&prefix, key.data(), key.size() < 8 ? key.size() : 8);
  static_assert(std::endian::native == std::endian::little);
  return __builtin_bswap64(prefix);
}

}  // namespace tandem::workloads::mapreduce
