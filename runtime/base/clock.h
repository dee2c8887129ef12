// Clock: monotonic time in nanoseconds. Any thread; async-signal-safe.
#pragma once

#include <cstdint>
#include <ctime>

namespace tandem::base {

// CLOCK_MONOTONIC through the vDSO: about 25 ns where the kernel trusts the time-stamp counter.
inline uint64_t NowNs() {
  timespec ts;
  clock_gettime(CLOCK_MONOTONIC, &ts);
  return static_cast<uint64_t>(ts.tv_sec) * 1'000'000'000u + static_cast<uint64_t>(ts.tv_nsec);
}

// For short spinning waits.
inline void CpuRelax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield" ::: "memory");
#endif
}

}  // namespace tandem::base
