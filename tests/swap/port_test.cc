#include "runtime/swap/port.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <vector>

namespace tandem::swap {
namespace {

using ::testing::ElementsAre;
using ::testing::UnorderedElementsAre;

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
    size_t cancels = 0;
    size_t most_in_flight = 0;
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
      script_.most_in_flight = std::max(script_.most_in_flight, in_flight());
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
    ++script_.cancels;
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
  // Runs `count` transfers; returns the cookies that were done.
  std::vector<uint64_t> Run(size_t count) {
    auto channel = std::make_unique<ScriptedChannel>(script_);
    ScriptedChannel& watched = *channel;
    Port port(std::move(channel), kTimeoutNs);
    std::vector<rdma::Transfer> transfers(count);
    for (size_t i = 0; i < count; ++i) transfers[i].cookie = i;
    std::vector<uint64_t> done;
    ok_ = port.Run(transfers, retries_, [&](uint64_t cookie) { done.push_back(cookie); });
    EXPECT_EQ(watched.in_flight(), 0u);
    return done;
  }

  ScriptedChannel::Script script_;
  bool ok_ = false;
  uint64_t retries_ = 0;
};

TEST_F(PortTest, PostsAllTransfersBeforeItWaits) {
  EXPECT_EQ(Run(64).size(), 64u);
  EXPECT_TRUE(ok_);
  EXPECT_EQ(script_.most_in_flight, 64u);
  EXPECT_EQ(script_.posts, 64u);
  EXPECT_EQ(retries_, 0u);
}

TEST_F(PortTest, NothingToDoIsDoneAtOnce) {
  EXPECT_TRUE(Run(0).empty());
  EXPECT_TRUE(ok_);
}

TEST_F(PortTest, AShortQueueTakesTheTransfersInTurn) {
  script_.depth = 3;
  EXPECT_EQ(Run(10).size(), 10u);
  EXPECT_TRUE(ok_);
  EXPECT_EQ(script_.most_in_flight, 3u);
}

TEST_F(PortTest, LostTransfersArePostedAgain) {
  script_.lose_posts = 2;
  EXPECT_THAT(Run(4), UnorderedElementsAre(0, 1, 2, 3));
  EXPECT_TRUE(ok_);
  EXPECT_EQ(retries_, 2u);
  EXPECT_EQ(script_.posts, 6u);
}

TEST_F(PortTest, AFullQueueOfLostTransfersIsPostedAgain) {
  script_.depth = 2;
  script_.lose_posts = 5;
  EXPECT_THAT(Run(4), UnorderedElementsAre(0, 1, 2, 3));
  EXPECT_TRUE(ok_);
  EXPECT_EQ(retries_, 5u);
}

TEST_F(PortTest, ATransferThatCompletesWhileItIsGivenUpCountsOnce) {
  script_.lose_posts = 1;
  script_.complete_at_cancel = true;
  EXPECT_THAT(Run(1), ElementsAre(0));
  EXPECT_TRUE(ok_);
  EXPECT_EQ(retries_, 0u);
  EXPECT_EQ(script_.posts, 1u);
}

TEST_F(PortTest, AFarSideThatIsGoneIsReportedWhenNothingIsInFlight) {
  script_.die_after = 3;
  script_.depth = 2;
  EXPECT_THAT(Run(10), ElementsAre(0, 1, 2));
  EXPECT_FALSE(ok_);
  EXPECT_LE(script_.posts, 6u);  // no more are posted in vain
}

TEST_F(PortTest, ASilentFarSideIsTakenForLost) {
  script_.lose_posts = SIZE_MAX;
  EXPECT_TRUE(Run(3).empty());
  EXPECT_FALSE(ok_);
  EXPECT_GE(retries_, 3u);
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
