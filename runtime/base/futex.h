// Futex: sleep until a 32-bit word changes; wake sleepers. Async-signal-safe.
#pragma once

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <ctime>

namespace tandem::base {

// Returns when `word` no longer holds `seen`, when woken, after `timeout_ns`, or spuriously.
inline void FutexWait(std::atomic<uint32_t>& word, uint32_t seen, uint64_t timeout_ns) {
  timespec ts{static_cast<time_t>(timeout_ns / 1'000'000'000u),
              static_cast<long>(timeout_ns % 1'000'000'000u)};
  syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, seen, &ts, nullptr, 0);
}

inline void FutexWake(std::atomic<uint32_t>& word, int waiters) {
  syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, waiters, nullptr, nullptr, 0);
}

}  // namespace tandem::base
