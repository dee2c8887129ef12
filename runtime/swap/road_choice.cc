#include "runtime/swap/road_choice.h"

namespace tandem::swap {

void RoadChoice::Pace(size_t pages) {
  if (!can_move_) return;
  const bool now = move();
  switch (stage_) {
    case Stage::kInUse:
      until_trial_ -= std::min(until_trial_, pages);
      if (out_.Pages() < kWindow) return;
      Learn();
      // A thread has begun to run beside this one, say, and is interrupted each time.
      if (now && known_[true].both() > 2 * known_[false].both()) {
        Settle(false, kOften);
      } else if (until_trial_ == 0 && known_[now].in.load(std::memory_order_relaxed) > 0) {
        Begin(Stage::kWarmUp, !now);
      } else {
        Begin(Stage::kInUse, now);
      }
      return;
    case Stage::kWarmUp:
      if (TrialIsDear()) break;
      if (out_.Pages() >= kWarmUp) Begin(Stage::kTrial, now);
      return;
    case Stage::kTrial:
      if (TrialIsDear()) break;
      if (out_.Pages() < kTrial) return;
      if (in_.Pages() < kEnough) {
        if (out_.Pages() >= kLongest) Settle(false, kOften);
        return;
      }
      Learn();
      const uint64_t moving = known_[true].both();
      const uint64_t copying = known_[false].both();
      const bool far_apart = std::max(moving, copying) > 2 * std::min(moving, copying);
      Settle(Pays(moving, copying), far_apart ? kSeldom : kOften);
      return;
  }
  // What copying cost in a trial that was ended may be chance, and is what moving is measured by.
  if (now) Learn();
  Settle(!now, kSeldom);
}

// Keeps the means of what was seen, if it was enough.
void RoadChoice::Learn() {
  Cost& cost = known_[move()];
  if (in_.Pages() >= kEnough) cost.in.store(in_.Ns() / in_.Pages(), std::memory_order_relaxed);
  if (out_.Pages() > 0) cost.out = out_.Ns() / out_.Pages();
}

// It has cost more than twice what the other road would have, and not by a page or two.
bool RoadChoice::TrialIsDear() const {
  const Cost& other = known_[!move()];
  const uint64_t usual =
      in_.Pages() * other.in.load(std::memory_order_relaxed) + out_.Pages() * other.out;
  return in_.Ns() + out_.Ns() > 2 * usual + kTrial * other.both();
}

void RoadChoice::Begin(Stage stage, bool move) {
  stage_ = stage;
  move_.store(move, std::memory_order_relaxed);
  in_.Clear();
  out_.Clear();
}

void RoadChoice::Settle(bool move, size_t until_next) {
  until_trial_ = until_next;
  Begin(Stage::kInUse, move);
}

}  // namespace tandem::swap
