#include "rdma/sealed_fabric.h"

#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/rdma/fabric_conformance.h"

namespace tandem::rdma {
namespace {

// A heap's road to a server over a sealed fabric, and the server's own hands on its memory.
class SealedFabricTest : public ::testing::Test {
 protected:
  static constexpr size_t kPages = 16;

  explicit SealedFabricTest(const char* url = "emulated:none") {
    std::unique_ptr<Fabric> inner = OpenOrDie(url);
    server_fabric_ = inner.get();
    sealed_ = std::move(SealedFabric::Open(std::move(inner)).value());
    slab_ = sealed_->LendSlab(kPages * kPage).value();
    heap_ = std::make_unique<Endpoint>(*sealed_, 64);
    server_ = std::make_unique<Endpoint>(*server_fabric_, 8);
  }

  FarAddress Far(size_t page) const { return {slab_, page * kPage}; }
  void Store(size_t page, uint64_t value) {
    Fill(heap_->Page(0), value);
    ASSERT_EQ(heap_->Carry(heap_->Write(Far(page), 0, 1)), Outcome::kDone);
    ASSERT_TRUE(IsFilledWith(heap_->Page(0), value));  // the source stays as it is
  }
  bool Holds(size_t page, uint64_t value) {
    Fill(heap_->Page(1), ~value);
    return heap_->Carry(heap_->Read(Far(page), 1, 1)) == Outcome::kDone &&
           IsFilledWith(heap_->Page(1), value);
  }
  // The server's bytes of a page, to and from a buffer of its own.
  void Take(size_t page, size_t buffer) {
    ASSERT_EQ(server_->Carry(server_->Read(Far(page), buffer, 1)), Outcome::kDone);
  }
  void Plant(size_t page, size_t buffer) {
    ASSERT_EQ(server_->Carry(server_->Write(Far(page), buffer, 1)), Outcome::kDone);
  }
  uint64_t broken() const { return static_cast<const SealedFabric&>(*sealed_).broken_seals(); }

  Fabric* server_fabric_ = nullptr;
  std::unique_ptr<Fabric> sealed_;
  uint32_t slab_ = 0;
  std::unique_ptr<Endpoint> heap_;
  std::unique_ptr<Endpoint> server_;
};

TEST_F(SealedFabricTest, TheServerSeesNothingOfAPageAndTheHeapAllOfIt) {
  constexpr uint64_t kValue = 0x6e6f6974616e6974;
  Store(3, kValue);
  Take(3, 0);
  const std::string_view bytes(reinterpret_cast<const char*>(server_->Page(0)), kPage);
  EXPECT_EQ(bytes.find(std::string_view(reinterpret_cast<const char*>(&kValue), 4)), bytes.npos);
  EXPECT_TRUE(Holds(3, kValue));
  EXPECT_EQ(broken(), 0u);
}

TEST_F(SealedFabricTest, TheSamePageNeverLooksTheSameTwice) {
  Store(0, 7);
  Take(0, 0);
  Store(1, 7);
  Take(1, 1);
  Store(0, 7);
  Take(0, 2);
  for (const auto& [a, b] : {std::pair(0, 1), std::pair(0, 2), std::pair(1, 2)}) {
    EXPECT_NE(std::memcmp(server_->Page(a), server_->Page(b), 64), 0) << a << ' ' << b;
  }
}

TEST_F(SealedFabricTest, ExchangedPagesDoNotOpen) {
  Store(0, 1);
  Store(1, 2);
  Take(0, 0);
  Take(1, 1);
  Plant(0, 1);
  Plant(1, 0);
  EXPECT_TRUE(Holds(0, 0));
  EXPECT_TRUE(Holds(1, 0));
  EXPECT_EQ(broken(), 2u);
  Plant(0, 0);
  EXPECT_TRUE(Holds(0, 1));
}

TEST_F(SealedFabricTest, AnOlderStateDoesNotOpen) {
  Store(0, 1);
  Take(0, 0);
  Store(0, 2);
  Plant(0, 0);
  EXPECT_TRUE(Holds(0, 0));
  EXPECT_EQ(broken(), 1u);
}

TEST_F(SealedFabricTest, AFlippedBitAnywhereIsSeen) {
  Store(0, 1);
  Take(0, 0);
  uint64_t flipped = 0;
  for (const size_t byte :
       {size_t{0}, size_t{1}, size_t{15}, size_t{16}, size_t{2047}, size_t{kPage - 1}}) {
    server_->Page(0)[byte] ^= std::byte{0x10};
    Plant(0, 0);
    server_->Page(0)[byte] ^= std::byte{0x10};
    EXPECT_TRUE(Holds(0, 0)) << byte;
    EXPECT_EQ(broken(), ++flipped);
  }
}

TEST_F(SealedFabricTest, WhatWasNeverWrittenIsZeroesWhateverTheServerSays) {
  Fill(server_->Page(0), 9);
  Plant(5, 0);
  EXPECT_TRUE(Holds(5, 0));
}

TEST_F(SealedFabricTest, IsOpenedByAPrefix) {
  const std::unique_ptr<Fabric> fabric = OpenOrDie("sealed:emulated:none");
  EXPECT_EQ(fabric->Name(), "sealed:" + OpenOrDie("emulated:none")->Name());
  for (const char* wrong : {"sealed:", "sealed", "sealed:pigeon:1", "sealed:emulated:nothing",
                            "sealed:sealed:emulated:none"}) {
    EXPECT_EQ(Fabric::Open(wrong).status().code(), StatusCode::kInvalidArgument) << wrong;
  }
}

TEST_F(SealedFabricTest, OnlyWholePagesOfLentSlabsTravel) {
  Transfer half = heap_->Read(Far(0), 0, 1);
  half.bytes = kPage / 2;
  EXPECT_EQ(heap_->Carry(half), Outcome::kRefused);
  EXPECT_EQ(heap_->Carry(heap_->Read({slab_, 8}, 0, 1)), Outcome::kRefused);
  EXPECT_EQ(heap_->Carry(heap_->Write({slab_, kPages * kPage}, 0, 1)), Outcome::kRefused);
  EXPECT_EQ(heap_->Carry(heap_->Write({slab_ + 1, 0}, 0, 1)), Outcome::kRefused);
  Store(0, 1);
  EXPECT_TRUE(Holds(0, 1));
}

TEST_F(SealedFabricTest, ManyWritesAndCancellationsInFlightKeepTheirPagesApart) {
  Channel& channel = heap_->channel();
  for (uint64_t round = 0; round < 200; ++round) {
    for (uint64_t page = 0; page < kPages; ++page) {
      Fill(heap_->Page(2 + page), 100 * round + page);
      ASSERT_TRUE(heap_->Post(heap_->Write(Far(page), 2 + page, page)));
    }
    // Written again at once if it was still in flight: the later state counts.
    const bool cancelled = channel.Cancel(round % kPages);
    heap_->Await(cancelled ? kPages - 1 : kPages);
    if (cancelled) {
      ASSERT_EQ(heap_->Carry(heap_->Write(Far(round % kPages), 2 + round % kPages, 1)),
                Outcome::kDone);
    }
    for (uint64_t page = 0; page < kPages; ++page) ASSERT_TRUE(Holds(page, 100 * round + page));
  }
  EXPECT_EQ(broken(), 0u);
}

TEST_F(SealedFabricTest, AFullQueueLosesNothing) {
  std::vector<Transfer> writes;
  for (uint64_t i = 0; i < 4 * heap_->channel().depth(); ++i) {
    writes.push_back(heap_->Write(Far(i % kPages), 2, i));
  }
  Fill(heap_->Page(2), 5);
  EXPECT_EQ(heap_->Carry(writes).size(), writes.size());
  for (size_t page = 0; page < kPages; ++page) EXPECT_TRUE(Holds(page, 5));
}

}  // namespace
}  // namespace tandem::rdma
