#include "runtime/swap/road_choice.h"

namespace tandem::swap {

void RoadChoice::Pace(size_t pages) {
  if (!can_move_) return;
  left_ -= std::min(left_, pages);
  const bool now = move();
  if (!trying_) {
    used_ += pages;
    // A thread has begun to run beside this one, say, and is interrupted each time.
    const bool tripled = used_ >= kFirst && roads_[now].cost() > 3 * decided_ns_;
    if (left_ > 0 && !tripled) return;
    trying_ = true;
    left_ = kTrial;
    came_before_ = roads_[!now].came.load(std::memory_order_relaxed);
    move_.store(!now, std::memory_order_relaxed);
    return;
  }
  if (left_ > 0) return;
  trying_ = false;
  used_ = 0;
  left_ = kOften;
  const uint32_t came = roads_[now].came.load(std::memory_order_relaxed) - came_before_;
  if (came >= kEnough && roads_[now].out.ns() != 0 && roads_[!now].out.ns() != 0) {
    const uint64_t moving = roads_[true].cost();
    const uint64_t copying = roads_[false].cost();
    move_.store(moving <= copying, std::memory_order_relaxed);
    decided_ns_ = std::min(moving, copying);
    if (std::max(moving, copying) > 2 * decided_ns_) left_ = kSeldom;
  } else {
    move_.store(!now, std::memory_order_relaxed);  // as before the trial
  }
}

}  // namespace tandem::swap
