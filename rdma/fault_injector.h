// FaultInjector: decides by lot which transfers go wrong, and how.
//
// One per channel, owned by it and used by its thread only. The same plan and the same channel
// number give the same faults for the same sequence of transfers. Async-signal-safe.
#pragma once

#include <cstddef>
#include <cstdint>

#include "rdma/channel.h"

namespace tandem::rdma {

// Probabilities are per transfer, from 0 to 1.
struct FaultPlan {
  double loss = 0;   // the completion never comes
  double delay = 0;  // the completion comes `delay_ns` late
  uint64_t delay_ns = 0;
  double damage = 0;  // a read delivers a byte that differs from the one stored
  uint64_t seed = 1;
};

// What happens to one transfer.
struct Fault {
  bool lost = false;
  bool delayed = false;
  uint8_t damage_mask = 0;  // flips bits of one delivered byte; 0: undamaged
  uint32_t damage_at = 0;   // which byte, modulo the transfer's size

  explicit operator bool() const { return lost || delayed || damage_mask != 0; }
};

class FaultInjector {
 public:
  FaultInjector(const FaultPlan& plan, uint64_t channel_number);

  Fault Draw(Direction direction);

  // Flips what `fault` says in the bytes that a read delivered.
  static void Damage(const Fault& fault, void* delivered, size_t bytes);

 private:
  uint64_t Random();
  bool Happens(double probability);

  const FaultPlan plan_;
  const bool active_;
  uint64_t state_;
};

}  // namespace tandem::rdma
