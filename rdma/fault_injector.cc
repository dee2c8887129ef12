#include "rdma/fault_injector.h"

namespace tandem::rdma {

FaultInjector::FaultInjector(const FaultPlan& plan, uint64_t channel_number)
    : plan_(plan), active_(plan.loss > 0 || plan.delay > 0 || plan.damage > 0), state_(plan.seed) {
  // Channels with neighbouring numbers, or seeds, start far from each other.
  state_ = Random() + channel_number;
  state_ = Random();
}

Fault FaultInjector::Draw(Direction direction) {
  Fault fault;
  if (!active_) return fault;
  fault.lost = Happens(plan_.loss);
  if (fault.lost) return fault;
  fault.delayed = Happens(plan_.delay);
  if (direction == Direction::kRead && Happens(plan_.damage)) {
    const uint64_t random = Random();
    fault.damage_mask = static_cast<uint8_t>(1 + (random & 0xff) % 255);
    fault.damage_at = static_cast<uint32_t>(random >> 32);
  }
  return fault;
}

void FaultInjector::Damage(const Fault& fault, void* delivered, size_t bytes) {
  if (fault.damage_mask == 0 || bytes == 0) return;
  static_cast<unsigned char*>(delivered)[fault.damage_at % bytes] ^= fault.damage_mask;
}

// SplitMix64 (Steele, Lea, Flood 2014).
uint64_t FaultInjector::Random() {
  state_ += 0x9e3779b97f4a7c15;
  uint64_t z = state_;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

bool FaultInjector::Happens(double probability) {
  if (probability <= 0) return false;
  return static_cast<double>(Random() >> 11) * 0x1p-53 < probability;
}

}  // namespace tandem::rdma
