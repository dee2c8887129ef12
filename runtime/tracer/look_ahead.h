// LookAheadJudge: whether pages that were looked ahead for are used often enough. Pure policy.
//
// Judges by about the last kWindow pages, older ones counting less. One tracer.
#pragma once

#include <cstdint>
#include <utility>

namespace tandem::tracer {

class LookAheadJudge {
 public:
  // Told how many pages were used and left unused since the beginning.
  bool Pays(uint64_t used, uint64_t unused) {
    used_ += used - std::exchange(used_seen_, used);
    unused_ += unused - std::exchange(unused_seen_, unused);
    if (used_ + unused_ > kWindow) {
      used_ /= 2;
      unused_ /= 2;
    }
    return used_ + unused_ < kWarmUp || 2 * used_ >= unused_;
  }

 private:
  static constexpr uint64_t kWindow = 256;
  static constexpr uint64_t kWarmUp = 32;

  uint64_t used_seen_ = 0;
  uint64_t unused_seen_ = 0;
  uint64_t used_ = 0;
  uint64_t unused_ = 0;
};

}  // namespace tandem::tracer
