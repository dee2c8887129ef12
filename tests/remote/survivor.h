// What tests need to go on where pages are lost.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <csetjmp>
#include <cstdint>
#include <random>
#include <utility>

#include "runtime/base/check.h"
#include "tests/swap/pager_rig.h"

namespace tandem::rdma {

// Leaves an access that lost its page by a jump.
inline thread_local sigjmp_buf t_way_out;
inline thread_local volatile bool t_may_lose = false;  // volatile: read by a signal handler
inline thread_local const char* t_reason;

inline void Jump(const void*, const char* reason) {
  if (!t_may_lose) base::Fatal(reason);  // there is no way out
  t_may_lose = false;
  t_reason = reason;
  siglongjmp(t_way_out, 1);
}

// False if the page was lost. Not inlined, so that the jump ends in a frame whose variables nobody
// has changed since.
template <typename Access>
[[gnu::noinline]] bool Try(Access&& access) {
  t_reason = "";
  if (sigsetjmp(t_way_out, 1) != 0) return false;
  t_may_lose = true;
  access();
  t_may_lose = false;
  return true;
}

// One thread's part of a heap whose far side fails. What it reads is what it has written, or lost.
class Survivor {
 public:
  static constexpr swap::PageIndex kPages = 60;
  static constexpr swap::PageIndex kPinned = 4;

  Survivor(swap::PagerRig& rig, swap::PageIndex first, uint64_t seed)
      : rig_(rig), port_(rig.pager()), first_(first), random_(seed) {
    for (swap::PageIndex i = 0; i < kPages; ++i) rig_.Fill(first_ + i, values_[i]);
    rig_.pager().Pin(first_, kPinned, *port_);
  }
  ~Survivor() { rig_.pager().Unpin(first_, kPinned); }

  // False if a page was lost.
  bool Operate() {
    const swap::PageIndex i = random_() % kPages;
    if (random_() % 4 == 0 && values_[i] != kUnknown) {
      const uint64_t next = std::exchange(values_[i], kUnknown) + 1;
      if (!Try([&] { rig_.Fill(first_ + i, next); })) return Lost(i);
      values_[i] = next;
      return true;
    }
    bool right = false;
    if (!Try([&] { right = rig_.Holds(first_ + i, values_[i]); })) return Lost(i);
    EXPECT_TRUE(right || values_[i] == kUnknown) << first_ + i;
    return true;
  }

 private:
  static constexpr uint64_t kUnknown = UINT64_MAX;  // lost while it was being written

  bool Lost(swap::PageIndex i) {
    EXPECT_GE(i, kPinned) << t_reason;
    return false;
  }

  swap::PagerRig& rig_;
  swap::BoundPort port_;
  const swap::PageIndex first_;
  std::mt19937_64 random_;
  std::array<uint64_t, kPages> values_{};
};

}  // namespace tandem::rdma
