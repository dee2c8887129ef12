// What random tests share: their seed, and how often they repeat.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>

#include "runtime/base/clock.h"

namespace tandem::testing {

// Printed, and taken back from TANDEM_TEST_SEED.
inline uint64_t TestSeed() {
  const char* given = std::getenv("TANDEM_TEST_SEED");
  const uint64_t seed = given != nullptr ? std::strtoull(given, nullptr, 0) : base::NowNs();
  std::printf("TANDEM_TEST_SEED=%llu\n", static_cast<unsigned long long>(seed));
  return seed;
}

// Repetitions: fewer where a sanitizer makes each slow.
inline constexpr size_t Rounds(size_t n) {
#ifdef TANDEM_SANITIZER
  return n / 20 + 1;
#else
  return n;
#endif
}

class Random {
 public:
  explicit Random(uint64_t seed) : engine_(seed) {}

  // From 0 to n - 1.
  size_t Below(size_t n) { return static_cast<size_t>(engine_() % n); }
  size_t Between(size_t least, size_t most) { return least + Below(most - least + 1); }
  bool OneIn(size_t n) { return Below(n) == 0; }
  uint64_t Bits() { return engine_(); }

 private:
  std::mt19937_64 engine_;
};

}  // namespace tandem::testing
