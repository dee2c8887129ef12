// What tests of fabrics share: a fabric with a channel, a slab and a registered buffer.
//
// The suite in fabric_conformance.cc says what every fabric does; to run it on a new fabric, link
// it, instantiate it with names of your choice, and define UrlOf.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "rdma/fabric.h"
#include "runtime/base/backoff.h"
#include "runtime/base/clock.h"
#include "runtime/base/os_memory.h"

namespace tandem::rdma {

inline constexpr uint32_t kPage = base::kPageSize;

#ifdef TANDEM_SANITIZER
inline constexpr int kRounds = 300;
#else
inline constexpr int kRounds = 5000;
#endif

// A random test's seed: printed, and taken back from TANDEM_TEST_SEED.
inline uint64_t TestSeed() {
  const char* given = std::getenv("TANDEM_TEST_SEED");
  const uint64_t seed = given != nullptr ? std::strtoull(given, nullptr, 0) : base::NowNs();
  std::printf("TANDEM_TEST_SEED=%llu\n", static_cast<unsigned long long>(seed));
  return seed;
}

inline void Fill(std::byte* page, uint64_t value) {
  for (size_t i = 0; i < kPage; i += sizeof value) std::memcpy(page + i, &value, sizeof value);
}
inline uint64_t FirstWord(const std::byte* page) {
  uint64_t value;
  std::memcpy(&value, page, sizeof value);
  return value;
}
inline bool IsFilledWith(const std::byte* page, uint64_t value) {
  return FirstWord(page) == value &&
         std::memcmp(page, page + sizeof value, kPage - sizeof value) == 0;
}

// One channel with a buffer of its own; belongs to one thread.
class Endpoint {
 public:
  Endpoint(Fabric& fabric, size_t buffer_pages)
      : buffer_(std::move(
            base::OsMemory::Reserve(buffer_pages * kPage, kPage, "a test's buffer").value())),
        channel_(std::move(fabric.OpenChannel().value())) {
    const Status status = fabric.RegisterBuffer(buffer_.data(), buffer_.size());
    EXPECT_TRUE(status.ok()) << status.message();
  }

  Channel& channel() { return *channel_; }
  std::byte* Page(size_t i) { return buffer_.data() + i * kPage; }

  Transfer Read(FarAddress far, size_t page, uint64_t cookie, Lane lane = Lane::kDemand) {
    return {Direction::kRead, lane, far, Page(page), kPage, cookie};
  }
  Transfer Write(FarAddress far, size_t page, uint64_t cookie, Lane lane = Lane::kWriteBack) {
    return {Direction::kWrite, lane, far, Page(page), kPage, cookie};
  }

  bool Post(const Transfer& transfer) { return channel_->Post({&transfer, 1}) == 1; }

  // Waits for `count` completions and returns them in the order in which they came. Fails and
  // returns fewer if nothing comes for very long.
  std::vector<Completion> Await(size_t count) {
    std::vector<Completion> done;
    base::Backoff backoff;
    uint64_t last_ns = base::NowNs();
    while (done.size() < count) {
      Completion some[16];
      const size_t n =
          channel_->Poll(std::span(some).first(std::min(std::size(some), count - done.size())));
      done.insert(done.end(), some, some + n);
      if (n != 0) {
        backoff = {};
        last_ns = base::NowNs();
      } else if (base::NowNs() - last_ns > 60'000'000'000) {
        ADD_FAILURE() << "only " << done.size() << " of " << count << " transfers completed";
        break;
      } else {
        backoff.Pause();
      }
    }
    return done;
  }

  // Posts all, however often the queue is full, and awaits all.
  std::vector<Completion> Carry(std::span<const Transfer> transfers) {
    std::vector<Completion> done;
    while (!transfers.empty()) {
      const size_t posted = channel_->Post(transfers);
      transfers = transfers.subspan(posted);
      for (const Completion& c : Await(posted == 0 ? 1 : posted)) done.push_back(c);
    }
    return done;
  }

  Outcome Carry(const Transfer& transfer) {
    const std::vector<Completion> done = Carry({&transfer, 1});
    EXPECT_EQ(done.size(), 1u);
    if (done.empty()) return Outcome::kServerLost;
    EXPECT_EQ(done[0].cookie, transfer.cookie);
    return done[0].outcome;
  }

 private:
  base::OsMemory buffer_;
  std::unique_ptr<Channel> channel_;
};

inline std::unique_ptr<Fabric> OpenOrDie(std::string_view url) {
  return std::move(Fabric::Open(url).value());
}

// The URL of the fabric that a test program calls by that name.
std::string UrlOf(const std::string& name);

// Is told the fabric's name.
class FabricConformance : public testing::TestWithParam<const char*> {
 protected:
  static constexpr size_t kPages = 1024;

  std::unique_ptr<Fabric> fabric_ = OpenOrDie(UrlOf(GetParam()));
  uint32_t slab_ = fabric_->LendSlab(kPages * kPage).value();
  Endpoint endpoint_{*fabric_, kPages};
  Channel& channel_ = endpoint_.channel();

  FarAddress Far(size_t page) const { return {slab_, page * kPage}; }
};

}  // namespace tandem::rdma
