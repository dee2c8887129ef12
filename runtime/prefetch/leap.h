// Leap: along the majority of recent distances (Al Maruf and Chowdhury, "Effectively Prefetching
// Remote Memory with Leap", USENIX ATC 2020; their algorithms 1 and 2).
//
// The history holds the last 32 distances between one access, hit or miss, and the next. The
// *trend* is the distance that more than half of the newest quarter of it have, else of the newest
// half, else of all: found by a Boyer-Moore vote and counted again. So a new trend is seen soon,
// and some accesses aside do not hide an old one. The part of the history that is not filled yet
// counts against any trend.
//
// A miss prefetches a window of pages along the trend, or along the last trend there was if there
// is none now. The window follows the hits since the last miss: one more, rounded up to a power of
// two, at most kMaxWindow; without hits it is one if the access itself went along the trend, and
// none if not. It never shrinks to less than half of the last one.
//
// The paper's algorithm 2 sizes the window before it looks for the trend, and looks only if the
// window is not empty, which taken to the letter would never begin. Here the trend comes first.
// Where it says pages *around* the miss by the last trend, they are ahead here, as for a trend.
// The paper has a history for each process; here it is each thread's.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <optional>
#include <utility>

#include "runtime/prefetch/prefetcher.h"

namespace tandem::prefetch {

class Leap final : public Prefetcher {
 public:
  static constexpr size_t kMaxHistory = 32;
  static constexpr size_t kMaxWindow = 8;

  // Tests have a shorter history, in two splits, whose trend can be read off.
  explicit Leap(size_t history = kMaxHistory, size_t splits = 4)
      : history_(history), splits_(splits) {}

  size_t OnAccess(const Access& access, std::span<Page, kMaxPages> out) override {
    const std::optional<Page> last = std::exchange(last_page_, access.page);
    if (last) distances_[seen_++ % history_] = access.page - *last;
    if (access.hit) {
      ++hits_;
      return 0;
    }
    if (const auto found = FindTrend()) trend_ = *found;
    window_ = Window(last && access.page - *last == trend_);
    hits_ = 0;
    if (trend_ == 0) return 0;
    size_t n = 0;
    for (Page i = 1; i <= static_cast<Page>(window_); ++i) {
      const Page page = access.page + trend_ * i;
      if (page >= 0) out[n++] = page;
    }
    return n;
  }

  // Algorithm 1.
  std::optional<Page> FindTrend() const {
    for (size_t n = history_ / splits_; n <= history_; n *= 2) {
      const size_t known = std::min(n, seen_);
      Page candidate = 0;
      size_t votes = 0;
      for (size_t i = 0; i < known; ++i) {
        if (votes == 0) candidate = Distance(i);
        votes += Distance(i) == candidate ? 1 : -1;
      }
      size_t count = 0;
      for (size_t i = 0; i < known; ++i) count += Distance(i) == candidate ? 1 : 0;
      if (count > n / 2) return candidate;
    }
    return std::nullopt;
  }

 private:
  // The i-th newest.
  Page Distance(size_t i) const { return distances_[(seen_ - 1 - i) % history_]; }

  size_t Window(bool along_trend) const {
    size_t window = along_trend ? 1 : 0;
    if (hits_ > 0) window = std::min(std::bit_ceil(hits_ + 1), kMaxWindow);
    return std::max(window, window_ / 2);
  }

  const size_t history_;
  const size_t splits_;
  std::array<Page, kMaxHistory> distances_{};
  size_t seen_ = 0;  // distances, since the beginning
  std::optional<Page> last_page_;
  Page trend_ = 0;  // the last that was found; 0 if none was
  size_t hits_ = 0;
  size_t window_ = 0;
};

}  // namespace tandem::prefetch
