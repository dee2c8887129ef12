// What every fabric does, whatever it is made of. Nothing here depends on speed.
#include "tests/rdma/fabric_conformance.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <atomic>
#include <random>
#include <thread>

namespace tandem::rdma {
namespace {

using testing::Each;
using testing::ElementsAre;
using testing::Field;

TEST_P(FabricConformance, NameOpensTheSameFabricAgain) {
  const std::unique_ptr<Fabric> again = OpenOrDie(fabric_->Name());
  EXPECT_EQ(again->Name(), fabric_->Name());
  EXPECT_EQ(again->PinsBuffers(), fabric_->PinsBuffers());
  EXPECT_EQ(again->TimeoutNs(), fabric_->TimeoutNs());
}

TEST_P(FabricConformance, LentMemoryReadsAsZero) {
  Fill(endpoint_.Page(0), 77);
  EXPECT_EQ(endpoint_.Carry(endpoint_.Read(Far(kPages - 1), 0, 1)), Outcome::kDone);
  EXPECT_TRUE(IsFilledWith(endpoint_.Page(0), 0));
}

TEST_P(FabricConformance, SlabsAreNumberedFromZeroAndApart) {
  EXPECT_EQ(slab_, 0u);
  const uint32_t second = fabric_->LendSlab(kPage).value();
  EXPECT_EQ(second, 1u);
  Fill(endpoint_.Page(0), 1);
  Fill(endpoint_.Page(1), 2);
  EXPECT_EQ(endpoint_.Carry(endpoint_.Write({slab_, 0}, 0, 1)), Outcome::kDone);
  EXPECT_EQ(endpoint_.Carry(endpoint_.Write({second, 0}, 1, 2)), Outcome::kDone);
  EXPECT_EQ(endpoint_.Carry(endpoint_.Read({slab_, 0}, 2, 3)), Outcome::kDone);
  EXPECT_EQ(endpoint_.Carry(endpoint_.Read({second, 0}, 3, 4)), Outcome::kDone);
  EXPECT_TRUE(IsFilledWith(endpoint_.Page(2), 1));
  EXPECT_TRUE(IsFilledWith(endpoint_.Page(3), 2));
  EXPECT_GE(fabric_->Stats().lent_bytes, (kPages + 1) * kPage);
}

TEST_P(FabricConformance, ASlabThatIsNotWholePagesIsRefused) {
  EXPECT_EQ(fabric_->LendSlab(0).status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(fabric_->LendSlab(kPage + 1).status().code(), StatusCode::kInvalidArgument);
}

TEST_P(FabricConformance, WhatWasWrittenIsReadBackInEveryLane) {
  for (size_t lane = 0; lane < kLaneCount; ++lane) {
    Fill(endpoint_.Page(0), 100 + lane);
    EXPECT_EQ(endpoint_.Carry(endpoint_.Write(Far(lane), 0, 1, Lane{uint8_t(lane)})),
              Outcome::kDone);
    EXPECT_EQ(endpoint_.Carry(endpoint_.Read(Far(lane), 1, 2, Lane{uint8_t(lane)})),
              Outcome::kDone);
    EXPECT_TRUE(IsFilledWith(endpoint_.Page(1), 100 + lane));
    EXPECT_EQ(fabric_->Stats().written_bytes[lane], kPage);
    EXPECT_EQ(fabric_->Stats().read_bytes[lane], kPage);
  }
}

TEST_P(FabricConformance, TransfersNeedNotBePages) {
  if (fabric_->Name().starts_with("sealed:")) GTEST_SKIP() << "it seals whole pages";
  Fill(endpoint_.Page(0), 0x0102030405060708);
  EXPECT_EQ(endpoint_.Carry(endpoint_.Write(Far(3), 0, 1)), Outcome::kDone);
  Fill(endpoint_.Page(1), 0);
  const Transfer word{
      Direction::kRead, Lane::kTrace, {slab_, 3 * kPage + 16}, endpoint_.Page(1) + 8, 8, 2};
  EXPECT_EQ(endpoint_.Carry(word), Outcome::kDone);
  EXPECT_EQ(FirstWord(endpoint_.Page(1)), 0u);
  EXPECT_EQ(FirstWord(endpoint_.Page(1) + 8), 0x0102030405060708u);
  EXPECT_EQ(FirstWord(endpoint_.Page(1) + 16), 0u);
}

TEST_P(FabricConformance, OneLaneCompletesInTheOrderPosted) {
  std::vector<Transfer> transfers;
  std::vector<uint64_t> posted;
  for (size_t i = 0; i < channel_.depth(); ++i) {
    const size_t page = i % kPages;
    transfers.push_back(i % 3 == 0 ? endpoint_.Write(Far(page), page, i, Lane::kTrace)
                                   : endpoint_.Read(Far(page), page, i, Lane::kTrace));
    posted.push_back(i);
  }
  ASSERT_EQ(channel_.Post(transfers), transfers.size());
  std::vector<uint64_t> completed;
  for (const Completion& c : endpoint_.Await(transfers.size())) completed.push_back(c.cookie);
  EXPECT_EQ(completed, posted);
}

// By order alone. All of a full queue's others are posted first; those before the demand read are
// what was on its way already, which is a batch at most.
TEST_P(FabricConformance, ADemandReadWaitsForABatchOfOthersAtMost) {
  constexpr size_t kBatch = 16;
  const size_t others = channel_.depth() - 1;
  if (others < 7) GTEST_SKIP() << "a short queue";
  // A modelled network goes on by itself, so that others may be done before the demand read is
  // posted: there all are posted at one moment.
  if (fabric_->Name().starts_with("sealed:emulated:")) GTEST_SKIP() << "it seals one by one";
  const bool goes_on = fabric_->Name().starts_with("emulated:");
  for (const Lane lane : {Lane::kPrefetch, Lane::kTrace, Lane::kWriteBack}) {
    for (int round = 0; round < 20; ++round) {
      std::vector<Transfer> transfers;
      for (size_t i = 0; i < others; ++i) {
        const size_t page = i % (kPages - 1);
        transfers.push_back(lane == Lane::kWriteBack ? endpoint_.Write(Far(page), page, i, lane)
                                                     : endpoint_.Read(Far(page), page, i, lane));
      }
      const Transfer demand = endpoint_.Read(Far(kPages - 1), kPages - 1, others);
      if (goes_on) {
        transfers.push_back(demand);
        ASSERT_EQ(channel_.Post(transfers), others + 1);
      } else {
        ASSERT_EQ(channel_.Post(transfers), others);
        ASSERT_TRUE(endpoint_.Post(demand));
      }
      size_t before = 0;
      while (endpoint_.Await(1).at(0).cookie != others) ++before;
      EXPECT_LE(before, std::min(kBatch, others / 2)) << kLaneNames[static_cast<size_t>(lane)];
      endpoint_.Await(others - before);
    }
  }
}

TEST_P(FabricConformance, AFullQueueAcceptsPartOfAPost) {
  const size_t depth = channel_.depth();
  ASSERT_GE(depth, 1u);
  std::vector<Transfer> transfers;
  for (size_t i = 0; i < depth + 5; ++i) {
    transfers.push_back(endpoint_.Read(Far(i % kPages), i % kPages, i));
  }
  EXPECT_EQ(channel_.Post(transfers), depth);
  EXPECT_EQ(channel_.in_flight(), depth);
  EXPECT_EQ(channel_.Post(std::span(transfers).last(5)), 0u);
  EXPECT_EQ(endpoint_.Await(1).size(), 1u);
  EXPECT_EQ(channel_.Post(std::span(transfers).last(5)), 1u);
  EXPECT_EQ(endpoint_.Await(depth).size(), depth);
  EXPECT_EQ(channel_.in_flight(), 0u);
}

TEST_P(FabricConformance, PollReturnsNoMoreThanItIsGivenRoomFor) {
  const Transfer two[] = {endpoint_.Read(Far(0), 0, 1), endpoint_.Read(Far(1), 1, 2)};
  if (channel_.depth() < 2) GTEST_SKIP() << "a queue of one";
  ASSERT_EQ(channel_.Post(two), 2u);
  EXPECT_EQ(channel_.Poll({}), 0u);
  EXPECT_THAT(endpoint_.Await(1), ElementsAre(Field(&Completion::cookie, 1)));
  EXPECT_THAT(endpoint_.Await(1), ElementsAre(Field(&Completion::cookie, 2)));
  Completion none[1];
  EXPECT_EQ(channel_.Poll(none), 0u);
}

TEST_P(FabricConformance, ALargeBatchArrivesWhole) {
  std::vector<Transfer> writes;
  std::vector<Transfer> reads;
  for (size_t i = 0; i < kPages / 2; ++i) {
    Fill(endpoint_.Page(i), 1'000'000 + i);
    writes.push_back(endpoint_.Write(Far(i), i, i));
    reads.push_back(endpoint_.Read(Far(i), kPages / 2 + i, i, Lane::kPrefetch));
  }
  EXPECT_THAT(endpoint_.Carry(writes), Each(Field(&Completion::outcome, Outcome::kDone)));
  EXPECT_THAT(endpoint_.Carry(reads), Each(Field(&Completion::outcome, Outcome::kDone)));
  for (size_t i = 0; i < kPages / 2; ++i) {
    ASSERT_TRUE(IsFilledWith(endpoint_.Page(kPages / 2 + i), 1'000'000 + i)) << i;
  }
}

TEST_P(FabricConformance, ALaterWriteToTheSamePlaceWins) {
  for (size_t first_lane = 0; first_lane < kLaneCount; ++first_lane) {
    for (size_t second_lane = 0; second_lane < kLaneCount; ++second_lane) {
      Fill(endpoint_.Page(0), 1);
      Fill(endpoint_.Page(1), 2);
      const Transfer writes[] = {
          endpoint_.Write(Far(0), 0, 1, Lane{uint8_t(first_lane)}),
          endpoint_.Write(Far(0), 1, 2, Lane{uint8_t(second_lane)}),
      };
      endpoint_.Carry(writes);
      EXPECT_EQ(endpoint_.Carry(endpoint_.Read(Far(0), 2, 3)), Outcome::kDone);
      ASSERT_TRUE(IsFilledWith(endpoint_.Page(2), 2)) << first_lane << ", " << second_lane;
    }
  }
}

TEST_P(FabricConformance, TransfersOutOfBoundsAreRefusedAndTouchNothing) {
  const FarAddress places[] = {
      {slab_, kPages * kPage},              // right behind
      {slab_, kPages * kPage - kPage / 2},  // half behind
      {slab_, UINT64_MAX - kPage / 2},      // wraps around
      {slab_ + 1, 0},                       // no such slab
      {UINT32_MAX, 0},
  };
  for (const FarAddress& place : places) {
    // A fabric may give up the channel after a refusal, as a queue pair does: use fresh ones.
    Endpoint reader(*fabric_, 1);
    Fill(reader.Page(0), 55);
    EXPECT_EQ(reader.Carry(reader.Read(place, 0, 1)), Outcome::kRefused);
    EXPECT_TRUE(IsFilledWith(reader.Page(0), 55));
    Endpoint writer(*fabric_, 1);
    Fill(writer.Page(0), 66);
    EXPECT_EQ(writer.Carry(writer.Write(place, 0, 1)), Outcome::kRefused);
  }
  EXPECT_EQ(endpoint_.Carry(endpoint_.Read(Far(kPages - 1), 0, 1)), Outcome::kDone);
  EXPECT_TRUE(IsFilledWith(endpoint_.Page(0), 0));
}

TEST_P(FabricConformance, CancelEndsATransferOnce) {
  Fill(endpoint_.Page(0), 9);
  ASSERT_TRUE(endpoint_.Post(endpoint_.Read(Far(0), 0, 42)));
  if (channel_.Cancel(42)) {
    EXPECT_EQ(channel_.in_flight(), 0u);
    Completion none[1];
    Fill(endpoint_.Page(0), 10);  // a device may have written to it, but does so no more
    EXPECT_EQ(channel_.Poll(none), 0u);
    EXPECT_TRUE(IsFilledWith(endpoint_.Page(0), 10));
  } else {
    EXPECT_THAT(endpoint_.Await(1), ElementsAre(Field(&Completion::cookie, 42)));
  }
  EXPECT_FALSE(channel_.Cancel(42));
  EXPECT_FALSE(channel_.Cancel(43));
  EXPECT_EQ(endpoint_.Carry(endpoint_.Read(Far(0), 0, 42)), Outcome::kDone);
}

TEST_P(FabricConformance, CancelledTransfersLeaveTheOthersInOrder) {
  if (channel_.depth() < 8) GTEST_SKIP() << "a short queue";
  std::vector<Transfer> transfers;
  for (size_t i = 0; i < 8; ++i) transfers.push_back(endpoint_.Read(Far(i), i, i));
  ASSERT_EQ(channel_.Post(transfers), 8u);
  std::vector<uint64_t> expected;
  for (size_t i = 0; i < 8; ++i) {
    if (!(i % 3 == 0 && channel_.Cancel(i))) expected.push_back(i);
  }
  EXPECT_EQ(channel_.in_flight(), expected.size());
  std::vector<uint64_t> completed;
  for (const Completion& c : endpoint_.Await(expected.size())) completed.push_back(c.cookie);
  EXPECT_EQ(completed, expected);
}

TEST_P(FabricConformance, DiscardedMemoryReadsAsOldContentOrZeroes) {
  Fill(endpoint_.Page(0), 5);
  for (size_t i = 0; i < 4; ++i) endpoint_.Carry(endpoint_.Write(Far(i), 0, 1));
  fabric_->Discard(Far(1), 2 * kPage);
  fabric_->Discard(Far(0), kPages * kPage + 1);  // out of bounds: a hint, ignored
  EXPECT_EQ(fabric_->Stats().discarded_bytes, 2 * kPage);
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(endpoint_.Carry(endpoint_.Read(Far(i), 1, 1)), Outcome::kDone);
    const uint64_t word = FirstWord(endpoint_.Page(1));
    EXPECT_TRUE(IsFilledWith(endpoint_.Page(1), word));
    EXPECT_TRUE(word == 5 || (word == 0 && (i == 1 || i == 2))) << i;
  }
  EXPECT_EQ(endpoint_.Carry(endpoint_.Write(Far(1), 0, 1)), Outcome::kDone);
  EXPECT_EQ(endpoint_.Carry(endpoint_.Read(Far(1), 1, 1)), Outcome::kDone);
  EXPECT_TRUE(IsFilledWith(endpoint_.Page(1), 5));
}

TEST_P(FabricConformance, AnEmptyBufferCannotBeRegistered) {
  EXPECT_EQ(fabric_->RegisterBuffer(nullptr, kPage).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(fabric_->RegisterBuffer(endpoint_.Page(0), 0).code(), StatusCode::kInvalidArgument);
}

TEST_P(FabricConformance, RandomTransfersInAllLanesMatchAModel) {
  std::mt19937_64 random(TestSeed());
  constexpr size_t kFarPages = 16;
  std::vector<uint64_t> model(kFarPages, 0);
  for (int round = 0; round < kRounds / 50; ++round) {
    // Each round touches a page once, so that lanes may overtake each other.
    std::vector<Transfer> transfers;
    for (size_t page = 0; page < kFarPages; ++page) {
      const Lane lane{uint8_t(random() % kLaneCount)};
      if (random() % 2 == 0) {
        model[page] = random();
        Fill(endpoint_.Page(page), model[page]);
        transfers.push_back(endpoint_.Write(Far(page), page, page, lane));
      } else {
        transfers.push_back(endpoint_.Read(Far(page), page, page, lane));
      }
    }
    std::shuffle(transfers.begin(), transfers.end(), random);
    ASSERT_EQ(endpoint_.Carry(transfers).size(), kFarPages);
    for (size_t page = 0; page < kFarPages; ++page) {
      ASSERT_TRUE(IsFilledWith(endpoint_.Page(page), model[page])) << page;
    }
  }
}

TEST_P(FabricConformance, TwoThreadsWithAChannelEachDoNotDisturbEachOther) {
  constexpr size_t kSpan = 8;
  const auto work = [&](size_t me) {
    Endpoint mine(*fabric_, 2 * kSpan);
    for (int round = 0; round < kRounds / 50; ++round) {
      std::vector<Transfer> writes;
      std::vector<Transfer> reads;
      for (size_t i = 0; i < kSpan; ++i) {
        Fill(mine.Page(i), me * 1'000'000 + round * kSpan + i);
        writes.push_back(mine.Write(Far(me * kSpan + i), i, i));
        reads.push_back(mine.Read(Far(me * kSpan + i), kSpan + i, i));
      }
      mine.Carry(writes);
      mine.Carry(reads);
      for (size_t i = 0; i < kSpan; ++i) {
        ASSERT_TRUE(IsFilledWith(mine.Page(kSpan + i), me * 1'000'000 + round * kSpan + i));
      }
    }
  };
  std::thread other([&] { work(1); });
  work(0);
  other.join();
}

TEST_P(FabricConformance, AChannelSeesWhatAnotherThreadsChannelWrote) {
  constexpr uint64_t kMessages = 50;
  std::atomic<uint64_t> written{0};
  std::thread writer([&] {
    Endpoint mine(*fabric_, 1);
    for (uint64_t i = 1; i <= kMessages; ++i) {
      Fill(mine.Page(0), i);
      EXPECT_EQ(mine.Carry(mine.Write(Far(i), 0, i)), Outcome::kDone);
      written = i;
    }
  });
  for (uint64_t i = 1; i <= kMessages; ++i) {
    base::Backoff backoff;
    while (written < i) backoff.Pause();
    EXPECT_EQ(endpoint_.Carry(endpoint_.Read(Far(i), 0, i)), Outcome::kDone);
    EXPECT_TRUE(IsFilledWith(endpoint_.Page(0), i));
  }
  writer.join();
}

TEST_P(FabricConformance, SlabsCanBeLentWhileTransfersRun) {
  std::atomic<bool> stop{false};
  std::thread lender([&] {
    for (int i = 0; i < 50; ++i) EXPECT_TRUE(fabric_->LendSlab(16 * kPage).ok());
    stop = true;
  });
  uint64_t last = 0;
  do {
    Fill(endpoint_.Page(0), ++last);
    EXPECT_EQ(endpoint_.Carry(endpoint_.Write(Far(0), 0, 1)), Outcome::kDone);
    EXPECT_EQ(endpoint_.Carry(endpoint_.Read(Far(0), 1, 1)), Outcome::kDone);
    ASSERT_TRUE(IsFilledWith(endpoint_.Page(1), last));
  } while (!stop);
  lender.join();
}

}  // namespace
}  // namespace tandem::rdma
