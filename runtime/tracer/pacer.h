// Pacer: when a cycle should start, so that it ends before the heap is full. Pure policy.
//
// After each cycle the heap may grow to a goal: `growth` times what is live, but no more than the
// limit leaves; and where what is live fits into local memory with room to spare, no more than that
// holds: garbage that is not collected in time would push live pages out. The next cycle starts
// when the room that is left below the goal is what mutators may allocate while it runs: somewhat
// more than they did during either of the last two. (Their rate between cycles says little about
// that: far pages and the tracer slow them down.) Not synchronised: the collector's thread.
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>

namespace tandem::tracer {

class Pacer {
 public:
  // `local_bytes`: of local memory.
  Pacer(uint64_t limit_bytes, uint64_t local_bytes, double growth)
      : limit_(limit_bytes), local_(local_bytes), growth_(growth) {}

  // How much may be allocated before the first cycle starts.
  uint64_t FirstTrigger() const { return std::min(limit_ / 2, kSmallHeap); }

  // A cycle has ended. `live_bytes` survived; `allocated_bytes` were allocated while it ran.
  // Returns how much may be allocated before the next one starts.
  uint64_t NextTrigger(uint64_t live_bytes, uint64_t allocated_bytes) {
    const auto live = static_cast<double>(live_bytes);
    const double usable = static_cast<double>(limit_) * kUsableShare;
    double goal = std::min(usable, std::max(live * growth_, live + kSmallHeap));
    const double local = static_cast<double>(local_) * kUsableShare;
    if (local >= std::max(live * kLeastGrowth, live + kLeastRoom)) goal = std::min(goal, local);
    const double room = std::max(goal - live, 0.0);
    const uint64_t expected = std::max(allocated_bytes, std::exchange(last_, allocated_bytes));
    const double headroom =
        std::clamp(static_cast<double>(expected) * kCaution, room * 0.1, room * 0.75);
    return static_cast<uint64_t>(room - headroom);
  }

 private:
  static constexpr uint64_t kSmallHeap = uint64_t{32} << 20;
  static constexpr double kUsableShare = 0.92;  // the rest is lost to fragmentation
  static constexpr double kCaution = 1.5;

  // Estimates. What lives is marked for each time that as much as the room is allocated, and to
  // mark a page's objects takes about as long as to fetch the page; and a cycle has a price of its
  // own.
  static constexpr double kLeastGrowth = 1.5;
  static constexpr double kLeastRoom = 4 << 20;

  const uint64_t limit_;
  const uint64_t local_;
  const double growth_;
  uint64_t last_ = 0;  // allocated during the cycle before
};

}  // namespace tandem::tracer
