// Stride: ahead along a distance that has been confirmed (Chen and Baer, "Effective Hardware-Based
// Data Prefetching for High-Performance Processors", IEEE Transactions on Computers, 1995).
//
// Their reference prediction table has an entry for each load instruction; the runtime knows a
// thread but not an instruction, so each thread has one entry. An access is *right* if it is where
// the last one plus the stride says.
//
//     state          right            wrong
//     INITIAL        STEADY           TRANSIENT, and learns the stride
//     TRANSIENT      STEADY           NO_PREDICTION, and learns the stride
//     STEADY         STEADY           INITIAL, and keeps the stride
//     NO_PREDICTION  TRANSIENT        NO_PREDICTION, and learns the stride
//
// So an inner loop's stride outlives the step of the outer one.
//
// They fetch ahead in all states but NO_PREDICTION; here, where a wrong guess moves a page and not
// a cache line, only in STEADY. In place of their look-ahead program counter, which keeps the
// distance to the latency, the degree doubles with each access that is right. It goes on at hits,
// so that a steady stream does not miss at all.
#pragma once

#include <algorithm>

#include "runtime/prefetch/prefetcher.h"

namespace tandem::prefetch {

class Stride final : public Prefetcher {
 public:
  static constexpr Page kMaxDegree = 16;

  size_t OnAccess(const Access& access, std::span<Page, kMaxPages> out) override {
    if (!Learn(access.page) || stride_ == 0) {
      degree_ = 1;
      named_ = 0;
      return 0;
    }
    degree_ = std::min(degree_ * 2, kMaxDegree);
    // What was named is one stride nearer now. A miss tells that it did not come, or did not stay.
    named_ = access.hit ? std::max<Page>(named_ - 1, 0) : 0;
    size_t n = 0;
    while (named_ < degree_) {
      const Page page = access.page + stride_ * ++named_;
      if (page >= 0) out[n++] = page;
    }
    return n;
  }

 private:
  enum class State { kNew, kInitial, kTransient, kSteady, kNoPrediction };

  // Takes in an access; true if the state is then steady.
  bool Learn(Page page) {
    const Page distance = page - last_;
    const bool right = distance == stride_;
    last_ = page;
    switch (state_) {
      case State::kNew:
        state_ = State::kInitial;
        return false;
      case State::kInitial:
        state_ = right ? State::kSteady : State::kTransient;
        break;
      case State::kTransient:
        state_ = right ? State::kSteady : State::kNoPrediction;
        break;
      case State::kSteady:
        if (right) return true;
        state_ = State::kInitial;
        return false;  // and keeps its stride
      case State::kNoPrediction:
        if (right) state_ = State::kTransient;
        break;
    }
    stride_ = distance;
    return state_ == State::kSteady;
  }

  State state_ = State::kNew;
  Page last_ = 0;
  Page stride_ = 0;
  Page degree_ = 1;
  Page named_ = 0;  // how many strides ahead of the last access have been named
};

}  // namespace tandem::prefetch
