// Throttle: how many of the pages that a prefetcher names may be fetched. Pure policy.
//
// All threads of a heap share one. Each page that it lets through ends as exactly one of: *used*
// (somebody accessed it), *wasted* (it was evicted or died unused), or *dropped* (it was not
// fetched after all). Until then it is *unused*.
//
// 1. No more than max_unused pages are unused at any time: prefetching cannot take the memory that
//    the application works in.
// 2. Where half of the pages or more were used, all that are wanted may go; below, as many fewer as
//    the accuracy is lower, but always one in sixteen: by those it sees when prefetching pays again
//    (if rule 1 lets them). The first kWarmUp pages judge nothing.
//
// Accuracy is that of about the last kWindow pages used or wasted, older ones counting less: both
// counts are halved when their sum reaches kWindow. Time does not enter, so one sequence of
// calls has one outcome.
//
// TryIssue is for whoever has pages read (early_reader.h); the rest is told by the pager, and by
// whoever could not have them read after all.
//
// Any thread; lock-free; async-signal-safe. Accesses are relaxed: these are counts, and publish no
// data; the page's state byte does that.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "runtime/swap/observers.h"

namespace tandem::prefetch {

class Throttle final : public swap::EarlyObserver {
 public:
  static constexpr uint32_t kWindow = 256;
  static constexpr uint32_t kWarmUp = 32;

  explicit Throttle(size_t max_unused) : max_unused_(static_cast<int64_t>(max_unused)) {}

  // How many of `want` pages may be fetched now; they are unused from here on.
  size_t TryIssue(size_t want) {
    const size_t paid = Pay(want);
    int64_t unused = unused_.load(std::memory_order_relaxed);
    int64_t take;
    do {
      take = std::min(max_unused_ - unused, static_cast<int64_t>(paid));
      if (take <= 0) return 0;
    } while (!unused_.compare_exchange_weak(unused, unused + take, std::memory_order_relaxed));
    return static_cast<size_t>(take);
  }

  void OnUsed(size_t pages) override { Resolve(static_cast<uint32_t>(pages), 0); }
  void OnWasted(size_t pages) override { Resolve(0, static_cast<uint32_t>(pages)); }
  void OnDropped(size_t pages) override {
    unused_.fetch_sub(static_cast<int64_t>(pages), std::memory_order_relaxed);
  }

  size_t unused() const { return static_cast<size_t>(unused_.load(std::memory_order_relaxed)); }
  size_t max_unused() const { return static_cast<size_t>(max_unused_); }

 private:
  static constexpr uint32_t kWhole = 256;  // the price of a page, and what each brings at full rate
  static constexpr uint32_t kProbe = kWhole / 16;

  // The two counts in one word, so that they always belong together.
  struct Outcomes {
    uint32_t used;
    uint32_t wasted;
  };
  static uint64_t Pack(Outcomes o) { return (uint64_t{o.used} << 32) | o.wasted; }
  static Outcomes Unpack(uint64_t word) {
    return {static_cast<uint32_t>(word >> 32), static_cast<uint32_t>(word)};
  }

  // What one wanted page brings in.
  uint32_t Rate() const {
    const Outcomes o = Unpack(outcomes_.load(std::memory_order_relaxed));
    const uint32_t all = o.used + o.wasted;
    if (all < kWarmUp || o.used >= o.wasted) return kWhole;
    return std::max(kProbe, 2 * kWhole * o.used / all);
  }

  // How many pages `want` wanted ones can pay for. What is left over is kept for the next ones, so
  // that calls which want one page each do not come away empty for ever.
  size_t Pay(size_t want) {
    const uint64_t rate = Rate();
    if (rate == kWhole) return want;
    uint64_t left = left_over_.load(std::memory_order_relaxed);
    uint64_t sum;
    do {
      sum = left + want * rate;
    } while (!left_over_.compare_exchange_weak(left, sum % kWhole, std::memory_order_relaxed));
    return sum / kWhole;
  }

  void Resolve(uint32_t used, uint32_t wasted) {
    unused_.fetch_sub(int64_t{used} + wasted, std::memory_order_relaxed);
    uint64_t word = outcomes_.load(std::memory_order_relaxed);
    Outcomes o;
    do {
      o = Unpack(word);
      o.used += used;
      o.wasted += wasted;
      while (o.used + o.wasted >= kWindow) {
        o.used /= 2;
        o.wasted /= 2;
      }
    } while (!outcomes_.compare_exchange_weak(word, Pack(o), std::memory_order_relaxed));
  }

  const int64_t max_unused_;
  // One line: what changes one of these changes the others, too.
  alignas(64) std::atomic<int64_t> unused_{0};
  std::atomic<uint64_t> outcomes_{0};
  std::atomic<uint64_t> left_over_{0};
};

}  // namespace tandem::prefetch
