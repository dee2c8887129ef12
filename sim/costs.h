// Costs: how long things take on the simulator's clock, apart from the link. A value.
#pragma once

#include <cstdint>

namespace tandem::sim {

struct Costs {
  uint64_t access_ns = 5;    // an access that finds its page local
  uint64_t alloc_ns = 20;    // a birth
  uint64_t mark_ns = 30;     // an object marked or traced
  uint64_t fetch_ns = 2000;  // of whoever waited for a page, on top of what the link takes
};

}  // namespace tandem::sim
