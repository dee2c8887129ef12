// RandomNumber: 64 bits that nobody can guess. Any thread.
#pragma once

#include <sys/random.h>

#include <cstdint>

#include "runtime/base/check.h"

namespace tandem::rdma {

// Never 0.
inline uint64_t RandomNumber() {
  uint64_t number = 0;
  while (number == 0) {
    TANDEM_CHECK(getrandom(&number, sizeof number, 0) == sizeof number,
                 "the system gives no random numbers");
  }
  return number;
}

}  // namespace tandem::rdma
