#include "runtime/swap/port.h"

#include <gtest/gtest.h>

#include <deque>

namespace tandem::swap {
namespace {

constexpr uint64_t kTimeoutNs = 100'000;

// A channel whose transfers complete as the test says.
class ScriptedChannel : public rdma::Channel {
 public:
  struct Script {
    size_t depth = 64;
    size_t lose_posts = 0;  // the completions of the first so many posts never come
    size_t die_after = SIZE_MAX;
    bool complete_at_cancel = false;  // Cancel comes just too late
    size_t posts = 0;
  };

  explicit ScriptedChannel(Script& script) : script_(script) {}

  size_t Post(std::span<const rdma::Transfer> transfers) override {
    size_t n = 0;
    for (const rdma::Transfer& transfer : transfers) {
      if (in_flight() == script_.depth) break;
      ++n;
      if (script_.posts++ < script_.lose_posts) {
        lost_.push_back(transfer.cookie);
      } else {
        flying_.push_back(transfer.cookie);
      }
    }
    return n;
  }
  size_t Poll(std::span<rdma::Completion> done) override {
    size_t n = 0;
    while (n < done.size() && !flying_.empty()) {
      const bool dead = completed_++ >= script_.die_after;
      done[n++] = {flying_.front(), dead ? rdma::Outcome::kServerLost : rdma::Outcome::kDone};
      flying_.pop_front();
    }
    return n;
  }
  bool Cancel(uint64_t cookie) override {
    const auto erased = std::erase(lost_, cookie) + std::erase(flying_, cookie);
    EXPECT_EQ(erased, 1u);
    if (script_.complete_at_cancel) {
      flying_.push_back(cookie);
      return false;
    }
    return true;
  }
  size_t depth() const override { return script_.depth; }
  size_t in_flight() const override { return lost_.size() + flying_.size(); }

 private:
  Script& script_;
  std::deque<uint64_t> flying_, lost_;
  size_t completed_ = 0;
};

class PortTest : public ::testing::Test {
 protected:
  // One transfer; true if it was done.
  bool Run() {
    auto channel = std::make_unique<ScriptedChannel>(script_);
    ScriptedChannel& watched = *channel;
    Port port(std::move(channel), kTimeoutNs);
    port.Start({});
    const bool done = port.Finish(retries_, [&] { ++idled_; });
    EXPECT_EQ(watched.in_flight(), 0u);
    return done;
  }

  ScriptedChannel::Script script_;
  uint64_t retries_ = 0;
  uint64_t idled_ = 0;
};

TEST_F(PortTest, ATransferIsPostedOnceAndDone) {
  EXPECT_TRUE(Run());
  EXPECT_EQ(script_.posts, 1u);
  EXPECT_EQ(retries_, 0u);
  EXPECT_EQ(idled_, 0u);
}

TEST_F(PortTest, OneAfterTheOtherMayUseTheSamePort) {
  Port port(std::make_unique<ScriptedChannel>(script_), kTimeoutNs);
  for (int i = 0; i < 3; ++i) {
    port.Start({});
    EXPECT_TRUE(port.Finish(retries_, [] {}));
  }
  EXPECT_EQ(script_.posts, 3u);
}

TEST_F(PortTest, ALostTransferIsPostedAgainAndTheWaitIsOthersTime) {
  script_.lose_posts = 2;
  EXPECT_TRUE(Run());
  EXPECT_EQ(retries_, 2u);
  EXPECT_EQ(script_.posts, 3u);
  EXPECT_GT(idled_, 0u);
}

TEST_F(PortTest, ATransferThatCompletesWhileItIsGivenUpCountsOnce) {
  script_.lose_posts = 1;
  script_.complete_at_cancel = true;
  EXPECT_TRUE(Run());
  EXPECT_EQ(retries_, 0u);
  EXPECT_EQ(script_.posts, 1u);
}

TEST_F(PortTest, AFarSideThatIsGoneIsReported) {
  script_.die_after = 0;
  EXPECT_FALSE(Run());
  EXPECT_EQ(script_.posts, 1u);
}

TEST_F(PortTest, ASilentFarSideIsTakenForLost) {
  script_.lose_posts = SIZE_MAX;
  EXPECT_FALSE(Run());
  EXPECT_EQ(retries_, Port::kMaxTimeouts);
}

TEST_F(PortTest, IsBusyForTheScopeOfItsUse) {
  Port port(std::make_unique<ScriptedChannel>(script_), kTimeoutNs);
  EXPECT_FALSE(port.busy());
  {
    const Port::InUse use(port);
    EXPECT_TRUE(port.busy());
  }
  EXPECT_FALSE(port.busy());
}

}  // namespace
}  // namespace tandem::swap
