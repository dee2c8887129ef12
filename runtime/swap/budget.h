// Budget: how many heap pages may be local, exactly.
//
// A *frame* is the right to have one page resident. It is taken before a page begins to come in
// and given back once the page is unmapped, so resident pages + free frames == limit always.
// Any thread; async-signal-safe.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace tandem::swap {

class Budget {
 public:
  explicit Budget(size_t limit_pages)
      : limit_(static_cast<int64_t>(limit_pages)), free_(limit_), least_free_(limit_) {}

  // Takes up to `want` frames; returns how many, perhaps 0.
  // Sequentially consistent, for the sake of waking the evictor: see Evictor::Wake. It publishes no
  // data; the page's state byte does that.
  size_t TryTake(size_t want) {
    int64_t free = free_.load(std::memory_order_relaxed);
    int64_t take;
    do {
      take = std::min(free, static_cast<int64_t>(want));
      if (take <= 0) return 0;
    } while (!free_.compare_exchange_weak(free, free - take));
    int64_t least = least_free_.load(std::memory_order_relaxed);
    while (free - take < least &&
           !least_free_.compare_exchange_weak(least, free - take, std::memory_order_relaxed)) {
    }
    return static_cast<size_t>(take);
  }

  void GiveBack(size_t frames) {
    free_.fetch_add(static_cast<int64_t>(frames), std::memory_order_relaxed);
  }

  size_t limit() const { return static_cast<size_t>(limit_); }
  size_t free() const { return static_cast<size_t>(free_.load()); }
  size_t taken() const { return limit() - free(); }
  size_t peak() const {
    return static_cast<size_t>(limit_ - least_free_.load(std::memory_order_relaxed));
  }

 private:
  const int64_t limit_;
  alignas(64) std::atomic<int64_t> free_;
  std::atomic<int64_t> least_free_;
};

}  // namespace tandem::swap
