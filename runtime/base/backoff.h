// Backoff: how a thread waits for something that is a few microseconds away.
//
// Spins briefly, then yields the processor, then sleeps in growing steps of at most 200 us. With
// few cores a spinning waiter takes the core from whoever it waits for, so the spin is short.
// Owned by one thread. Async-signal-safe.
#pragma once

#include <sched.h>

#include <cstdint>
#include <ctime>

#include "runtime/base/clock.h"

namespace tandem::base {

class Backoff {
 public:
  void Pause() {
    const uint32_t round = round_++;
    if (round < kSpinRounds) {
      for (int i = 0; i < 16; ++i) CpuRelax();
    } else if (round < kYieldRounds) {
      sched_yield();
    } else {
      const uint32_t steps = round - kYieldRounds + 1;
      timespec ts{0, static_cast<long>(steps < 20 ? steps * 10'000u : 200'000u)};
      nanosleep(&ts, nullptr);
    }
  }

 private:
  static constexpr uint32_t kSpinRounds = 20;  // about 5 us
  static constexpr uint32_t kYieldRounds = 120;
  uint32_t round_ = 0;
};

}  // namespace tandem::base
