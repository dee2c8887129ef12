// Small deterministic random numbers and hashes: the same on every machine, for ever.
//
// Checksums are made of these, so changing one changes every recorded checksum.
#pragma once

#include <cstdint>
#include <cstring>
#include <numeric>
#include <string_view>
#include <utility>
#include <vector>

namespace tandem::workloads {

// A bijection that spreads every bit over all others (the finaliser of SplitMix64).
inline uint64_t Mix(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

// SplitMix64.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  uint64_t Next() { return Mix(state_ += 0x9e3779b97f4a7c15u); }

  // Below `limit`, which must be above 0; the bias of at most limit / 2^64 does not matter here.
  uint64_t Below(uint64_t limit) {
    return static_cast<uint64_t>(static_cast<unsigned __int128>(Next()) * limit >> 64);
  }

 private:
  uint64_t state_;
};

// The successors of a random permutation that is one cycle through all of 0 to count - 1
// (Sattolo's algorithm).
inline std::vector<uint32_t> RandomCycle(uint32_t count, uint64_t seed) {
  std::vector<uint32_t> successor(count);
  std::iota(successor.begin(), successor.end(), 0);
  Random random(seed);
  for (uint32_t i = count; i > 1; --i) {
    std::swap(successor[i - 1], successor[random.Below(i - 1)]);
  }
  return successor;
}

// `length` bytes, at most 8, as a number whose lowest is the first of them. Loads that may overlap:
// a memcpy of a length that the compiler does not know is a call.
inline uint64_t LoadUpTo8(const char* bytes, size_t length) {
  const auto byte = [bytes](size_t i) {
    return uint64_t{static_cast<unsigned char>(bytes[i])} << (8 * i);
  };
  if (length < 4) {
    return length == 0 ? 0 : byte(0) | byte(length / 2) | byte(length - 1);
  }
  uint32_t first, last;
  std::memcpy(&first, bytes, sizeof first);
  std::memcpy(&last, bytes + length - sizeof last, sizeof last);
  return first | uint64_t{last} << (8 * (length - sizeof last));
}

// HashBytes of bytes that lie in several parts. All parts but the last must be whole words of 8.
class ByteHasher {
 public:
  // Of so many bytes in all.
  explicit ByteHasher(size_t bytes) : hash_(Mix(bytes + 1)) {}

  void Add(std::string_view part) {
    uint64_t word;
    for (; part.size() >= sizeof word; part.remove_prefix(sizeof word)) {
      std::memcpy(&word, part.data(), sizeof word);
      hash_ = Mix(hash_ ^ word);
    }
    if (!part.empty()) rest_ = LoadUpTo8(part.data(), part.size());
  }

  uint64_t Get() const { return Mix(hash_ ^ rest_); }

 private:
  uint64_t hash_;
  uint64_t rest_ = 0;
};

inline uint64_t HashBytes(std::string_view bytes) {
  ByteHasher hasher(bytes.size());
  hasher.Add(bytes);
  return hasher.Get();
}

}  // namespace tandem::workloads
