// Pacer: when a cycle should start, so that it ends before the heap is full. Pure policy.
//
// After each cycle the heap may grow to a goal: `growth` times what is live, but no more than the
// limit leaves. The next cycle starts when the room that is left below the goal is what the
// mutators are expected to allocate while it runs, judged by the last cycle's length and the
// allocation rate since. Not synchronised: the collector's thread.
#pragma once

#include <algorithm>
#include <cstdint>

namespace tandem::tracer {

class Pacer {
 public:
  Pacer(uint64_t limit_bytes, double growth) : limit_(limit_bytes), growth_(growth) {}

  // How much may be allocated before the first cycle starts.
  uint64_t FirstTrigger() const { return std::min(limit_ / 2, kSmallHeap); }

  // A cycle has ended. `live_bytes` survived; it took `cycle_ns`, during which `allocated_bytes`
  // were allocated. Returns how much may be allocated before the next one starts.
  uint64_t NextTrigger(uint64_t live_bytes, uint64_t cycle_ns, uint64_t interval_ns,
                       uint64_t allocated_bytes) const {
    const auto live = static_cast<double>(live_bytes);
    const double usable = static_cast<double>(limit_) * kUsableShare;
    const double goal = std::min(usable, std::max(live * growth_, live + kSmallHeap));
    const double room = std::max(goal - live, 0.0);
    const double rate = static_cast<double>(allocated_bytes) /
                        static_cast<double>(std::max<uint64_t>(interval_ns, 1));
    const double during_cycle = rate * static_cast<double>(cycle_ns) * kCaution;
    const double headroom = std::clamp(during_cycle, room * 0.1, room * 0.75);
    return static_cast<uint64_t>(room - headroom);
  }

 private:
  static constexpr uint64_t kSmallHeap = uint64_t{32} << 20;
  static constexpr double kUsableShare = 0.92;  // the rest is lost to fragmentation
  static constexpr double kCaution = 1.5;

  const uint64_t limit_;
  const double growth_;
};

}  // namespace tandem::tracer
