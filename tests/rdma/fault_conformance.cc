#include "tests/rdma/fault_conformance.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <set>
#include <span>

namespace tandem::rdma {

Outcome Persist(const Fabric& fabric, Endpoint& endpoint, const Transfer& transfer) {
  const uint64_t start_ns = base::NowNs();
  while (base::NowNs() - start_ns < 60'000'000'000) {
    EXPECT_TRUE(endpoint.Post(transfer));
    const uint64_t posted_ns = base::NowNs();
    base::Backoff backoff;
    Completion done[1];
    do {
      if (endpoint.channel().Poll(done) == 1) {
        EXPECT_EQ(done[0].cookie, transfer.cookie);
        return done[0].outcome;
      }
      backoff.Pause();
    } while (base::NowNs() - posted_ns < fabric.TimeoutNs());
    if (endpoint.channel().Cancel(transfer.cookie)) continue;
    const std::vector<Completion> waiting = endpoint.Await(1);
    return waiting.empty() ? Outcome::kRefused : waiting[0].outcome;
  }
  ADD_FAILURE() << "the far side never answers";
  return Outcome::kRefused;
}

void FaultConformance::Store(size_t page, uint64_t value) {
  Fill(endpoint_.Page(0), value);
  ASSERT_EQ(Persist(*fabric_, endpoint_, endpoint_.Write(Far(page), 0, 0)), Outcome::kDone);
}

bool FaultConformance::Holds(size_t page, uint64_t value) {
  Fill(endpoint_.Page(0), ~value);
  return Persist(*fabric_, endpoint_, endpoint_.Read(Far(page), 0, 0)) == Outcome::kDone &&
         IsFilledWith(endpoint_.Page(0), value);
}

void FaultConformance::Send() {
  for (int i = 0; i < 1000; ++i) (void)channel_.Poll({});
}

namespace {

using testing::UnorderedElementsAreArray;

TEST_P(FaultConformance, EveryTransferToASilentFarSideCompletesOnceOrIsCancelled) {
  for (int round = 0; round < 5; ++round) {
    far_side_->Silence();
    std::vector<Transfer> transfers;
    std::vector<uint64_t> cookies;
    for (uint64_t i = 0; i < 32; ++i) {
      const Lane lane{uint8_t(i % kLaneCount)};
      transfers.push_back(i % 3 == 0 ? endpoint_.Write(Far(i), i, i, lane)
                                     : endpoint_.Read(Far(i), i, i, lane));
      cookies.push_back(i);
    }
    ASSERT_EQ(channel_.Post(transfers), transfers.size());
    Send();
    std::vector<uint64_t> ended;
    Completion some[8];
    for (size_t n = channel_.Poll(some), i = 0; i < n; ++i) ended.push_back(some[i].cookie);
    for (const uint64_t cookie : cookies) {
      if (channel_.Cancel(cookie)) ended.push_back(cookie);
    }
    for (const Completion& c : endpoint_.Await(channel_.in_flight())) ended.push_back(c.cookie);
    EXPECT_THAT(ended, UnorderedElementsAreArray(cookies));
    EXPECT_EQ(channel_.in_flight(), 0u);
    far_side_->Speak();
    // The channel works again, and nobody hears of those transfers any more.
    Store(40, round);
    EXPECT_TRUE(Holds(40, round));
  }
}

// Reported as done means in far memory: not on the way there, in a buffer that goes with the
// connection when another transfer is cancelled.
TEST_P(FaultConformance, AWriteThatIsDoneIsThereWhateverBecomesOfTheConnection) {
  constexpr size_t kWrites = 16;
  for (uint64_t round = 1; round <= 5; ++round) {
    far_side_->Silence();
    for (size_t i = 1; i <= kWrites; ++i) {
      Fill(endpoint_.Page(i), 100 * round + i);
      ASSERT_TRUE(endpoint_.Post(endpoint_.Write(Far(i), i, i)));
    }
    // A read cannot be done, and cancelling it ends the connection.
    ASSERT_TRUE(endpoint_.Post(endpoint_.Read(Far(0), 0, 0)));
    std::set<uint64_t> done;
    const auto note = [&](const Completion& c) {
      ASSERT_EQ(c.outcome, Outcome::kDone) << c.cookie;
      done.insert(c.cookie);
    };
    for (int i = 0; i < 1000; ++i) {
      Completion some[1];
      if (channel_.Poll(some) == 1) note(some[0]);
    }
    for (size_t i = 0; i <= kWrites; ++i) (void)channel_.Cancel(i);
    for (const Completion& c : endpoint_.Await(channel_.in_flight())) note(c);
    done.erase(0);
    ASSERT_EQ(channel_.in_flight(), 0u);
    far_side_->Speak();
    for (const uint64_t page : done) EXPECT_TRUE(Holds(page, 100 * round + page)) << page;
  }
}

TEST_P(FaultConformance, AReadThatIsCancelledNeverWritesItsBufferAgain) {
  Store(0, 1);
  for (int round = 0; round < 5; ++round) {
    far_side_->Silence();
    std::set<uint64_t> cancelled;
    for (uint64_t i = 1; i <= 4; ++i) ASSERT_TRUE(endpoint_.Post(endpoint_.Read(Far(0), i, i)));
    Send();
    for (uint64_t i = 1; i <= 4; ++i) {
      if (!channel_.Cancel(i)) continue;
      cancelled.insert(i);
      Fill(endpoint_.Page(i), 1000 + i);
    }
    endpoint_.Await(channel_.in_flight());
    far_side_->Speak();
    // The connection works again, and what was asked for before is past.
    for (int i = 0; i < 10; ++i) ASSERT_TRUE(Holds(0, 1));
    for (uint64_t i = 1; i <= 4; ++i) {
      ASSERT_TRUE(IsFilledWith(endpoint_.Page(i), cancelled.contains(i) ? 1000 + i : 1));
    }
  }
}

TEST_P(FaultConformance, AWriteThatIsCancelledIsNeverServedAfterALaterOne) {
  for (uint64_t round = 1; round <= 10; ++round) {
    far_side_->Silence();
    Fill(endpoint_.Page(1), 2 * round);
    ASSERT_TRUE(endpoint_.Post(endpoint_.Write(Far(0), 1, 1)));
    Send();
    if (!channel_.Cancel(1)) endpoint_.Await(1);
    // The later one is posted before the far side speaks: it goes out as soon as it can.
    Fill(endpoint_.Page(2), 2 * round + 1);
    const Transfer later = endpoint_.Write(Far(0), 2, 2);
    ASSERT_TRUE(endpoint_.Post(later));
    Send();
    far_side_->Speak();
    const uint64_t start_ns = base::NowNs();
    Completion done[1];
    while (channel_.Poll(done) == 0 && base::NowNs() - start_ns < fabric_->TimeoutNs()) {
    }
    if (channel_.in_flight() == 0) {
      ASSERT_EQ(done[0].outcome, Outcome::kDone);
    } else if (channel_.Cancel(2)) {
      ASSERT_EQ(Persist(*fabric_, endpoint_, later), Outcome::kDone);
    } else {
      endpoint_.Await(1);
    }
    for (int i = 0; i < 20; ++i) ASSERT_TRUE(Holds(0, 2 * round + 1)) << round;
  }
}

TEST_P(FaultConformance, WhatIsInFlightWhenTheFarSideDiesIsToldOrCanBeCancelled) {
  Store(0, 5);
  far_side_->Silence();
  for (uint64_t i = 0; i < 32; ++i) ASSERT_TRUE(endpoint_.Post(endpoint_.Read(Far(0), i, i)));
  far_side_->Die(*fabric_);
  Completion some[32];
  size_t ended = 0;
  for (int i = 0; i < 1000; ++i) ended += channel_.Poll(some);
  for (uint64_t i = 0; i < 32; ++i) ended += channel_.Cancel(i);
  ended += endpoint_.Await(channel_.in_flight()).size();
  EXPECT_EQ(ended, 32u);
  EXPECT_EQ(channel_.in_flight(), 0u);
}

TEST_P(FaultConformance, AFarSideThatComesBackEmptyIsToldToOldChannelsAndServesNewFabrics) {
  Store(0, 5);
  far_side_->Die(*fabric_);
  far_side_->ComeBack();
  EXPECT_EQ(Persist(*fabric_, endpoint_, endpoint_.Read(Far(0), 0, 1)), Outcome::kServerLost);
  EXPECT_EQ(Persist(*fabric_, endpoint_, endpoint_.Write(Far(0), 0, 2)), Outcome::kServerLost);
  EXPECT_FALSE(fabric_->LendSlab(kPage).ok());
  EXPECT_EQ(fabric_->Stats().lent_bytes, 0u);
  const std::unique_ptr<Fabric> fresh = OpenOrDie(far_side_->Url());
  const uint32_t slab = fresh->LendSlab(kPage).value();
  Endpoint endpoint(*fresh, 1);
  Fill(endpoint.Page(0), 77);
  EXPECT_EQ(Persist(*fresh, endpoint, endpoint.Read({slab, 0}, 0, 1)), Outcome::kDone);
  EXPECT_TRUE(IsFilledWith(endpoint.Page(0), 0));
}

}  // namespace
}  // namespace tandem::rdma
