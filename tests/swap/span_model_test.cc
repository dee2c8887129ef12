// A model of how pages are kept from being pinned and write-protected at once (unmapper.h).
//
//   evictor   for two spans one after the other, each with the page in it that others pin:
//             publish the span; look at the page's pins; if there are none protect, then release;
//             withdraw the span
//   pinners   raise the count; wait until no span is published; let the kernel write; lower it
//
// The kernel's write must never find the page protected. Each rule is also broken on purpose.
#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <string>

#include "tests/base/interleaving.h"

namespace tandem::swap {
namespace {

using tandem::testing::ExploreInterleavings;

enum class Bug : uint8_t {
  kNone,
  kLooksBeforePublishing,
  kPinDoesNotWait,
  kWaitsBeforePinning,
  kWithdrawsBeforeReleasing,
};

constexpr uint8_t kPinners = 2;
constexpr uint8_t kTurns = 2;  // of each actor

struct State {
  uint8_t pins = 0;
  uint8_t published = 0;
  uint8_t is_protected = 0;
  uint8_t failed = 0;  // a write of the kernel's found the page protected
  // Evictor: 0 publish, 1 look, 2 protect, 3 release, 4 withdraw.
  uint8_t evictor = 0;
  uint8_t spans = 0;
  uint8_t free_of_pins = 0;
  // Pinner: 0 pin, 1 wait, 2 write, 3 unpin.
  std::array<uint8_t, kPinners> pinner{};
  std::array<uint8_t, kPinners> turns{};
};

class SpanModel {
 public:
  using State = swap::State;
  explicit SpanModel(Bug bug) : bug_(bug) {}

  State Initial() const { return {}; }
  bool IsEnd(const State& s) const {
    for (const uint8_t turns : s.turns) {
      if (turns < kTurns) return false;
    }
    return s.spans == kTurns;
  }
  const char* Violation(const State& s) const {
    return s.failed != 0 ? "the kernel's write to a pinned page fails" : nullptr;
  }
  template <typename Visit>
  void ForEachStep(const State& s, Visit&& visit) const {
    if (s.spans < kTurns) StepEvictor(s, visit);
    for (uint8_t i = 0; i < kPinners; ++i) {
      if (s.turns[i] < kTurns) StepPinner(s, i, visit);
    }
  }
  std::string Describe(const std::string& step) const { return step; }

 private:
  template <typename Visit>
  void StepEvictor(State s, Visit&& visit) const {
    const bool look_first = bug_ == Bug::kLooksBeforePublishing;
    const bool withdraw_first = bug_ == Bug::kWithdrawsBeforeReleasing;
    std::string step;
    switch (s.evictor) {
      case 0:
        look_first ? Look(s, step) : Publish(s, step);
        break;
      case 1:
        look_first ? Publish(s, step) : Look(s, step);
        break;
      case 2:
        s.is_protected = s.free_of_pins;
        step = "evictor: protects, if there are no pins";
        break;
      case 3:
        withdraw_first ? Withdraw(s, step) : Release(s, step);
        break;
      default:
        withdraw_first ? Release(s, step) : Withdraw(s, step);
    }
    if (++s.evictor == 5) {
      s.evictor = 0;
      ++s.spans;
    }
    visit(s, step);
  }
  static void Publish(State& s, std::string& step) {
    s.published = 1;
    step = "evictor: publishes";
  }
  static void Look(State& s, std::string& step) {
    s.free_of_pins = s.pins == 0;
    step = "evictor: looks at the pins";
  }
  static void Release(State& s, std::string& step) {
    s.is_protected = 0;
    step = "evictor: releases";
  }
  static void Withdraw(State& s, std::string& step) {
    s.published = 0;
    step = "evictor: withdraws";
  }

  template <typename Visit>
  void StepPinner(State s, uint8_t i, Visit&& visit) const {
    const bool wait_first = bug_ == Bug::kWaitsBeforePinning;
    std::string step = "pinner " + std::to_string(i);
    uint8_t& at = s.pinner[i];
    if (at < 2) {
      const bool pins = (at == 0) != wait_first;
      if (pins) {
        ++s.pins;
      } else if (s.published != 0 && bug_ != Bug::kPinDoesNotWait) {
        return;  // waits
      }
      step += pins ? ": pins" : ": sees no span";
      ++at;
    } else if (at == 2) {
      s.failed |= s.is_protected;
      step += ": the kernel writes";
      ++at;
    } else {
      --s.pins;
      step += ": unpins";
      at = 0;
      ++s.turns[i];
    }
    visit(s, step);
  }

  const Bug bug_;
};

TEST(SpanModelTest, NoPinnedPageIsProtected) {
  const auto result = ExploreInterleavings(SpanModel(Bug::kNone));
  EXPECT_TRUE(result.violation.empty()) << result.Report();
  EXPECT_TRUE(result.complete);
}

TEST(SpanModelTest, EachRuleIsNeeded) {
  for (const Bug bug : {Bug::kLooksBeforePublishing, Bug::kPinDoesNotWait, Bug::kWaitsBeforePinning,
                        Bug::kWithdrawsBeforeReleasing}) {
    EXPECT_FALSE(ExploreInterleavings(SpanModel(bug)).violation.empty()) << static_cast<int>(bug);
  }
}

}  // namespace
}  // namespace tandem::swap
