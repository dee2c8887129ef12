// PagerRig: a pager on an emulated fabric, with the thread that made it bound to it.
//
// Beside the pages that a test uses it has *scratch* pages, which always hold zeroes: bringing
// them in pushes others out without any traffic of their own.
#pragma once

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "rdma/fabric.h"
#include "runtime/base/backoff.h"
#include "runtime/base/clock.h"
#include "runtime/swap/pager.h"
#include "tests/base/random.h"

namespace tandem::swap {

inline constexpr size_t kPageWords = base::kPageSize / sizeof(uint64_t);

inline constexpr Purpose kAllPurposes[] = {Purpose::kRange, Purpose::kPrefetch, Purpose::kHint,
                                           Purpose::kLookAhead, Purpose::kTrace};

inline std::vector<PageIndex> PagesFrom(PageIndex first, size_t count) {
  std::vector<PageIndex> pages(count);
  std::iota(pages.begin(), pages.end(), first);
  return pages;
}

// Waits until `condition` holds; false if it does not for so long that something must be wrong.
template <typename Condition>
bool Eventually(Condition&& condition) {
  const uint64_t start = base::NowNs();
  for (base::Backoff backoff; !condition(); backoff.Pause()) {
    if (base::NowNs() - start > 100'000'000'000u) return false;
  }
  return true;
}

struct RigOptions {
  std::string fabric = "emulated:none";
  size_t pages = 512;
  size_t local_pages = 64;
  bool use_move = true;
  bool protect_dead = false;
  LostHandler on_lost = {};
  EarlyObserver* prefetched = nullptr;
};

class PagerRig {
 public:
  explicit PagerRig(RigOptions options = {})
      : options_(std::move(options)),
        fabric_(std::move(rdma::Fabric::Open(options_.fabric).value())),
        pager_(std::move(Pager::Create(PagerOptionsOf(options_), *fabric_, registry_).value())),
        port_(std::move(pager_->OpenPort().value())) {
    const Status status = pager_->Extend(pager_->table().pages());
    EXPECT_TRUE(status.ok()) << status.message();
    pager_->BindThread(*port_);
  }
  ~PagerRig() { pager_->UnbindThread(); }
  PagerRig(const PagerRig&) = delete;
  PagerRig& operator=(const PagerRig&) = delete;

  Pager& pager() { return *pager_; }
  PagerMetrics& metrics() { return pager_->metrics(); }
  Port& port() { return *port_; }
  rdma::Fabric& fabric() { return *fabric_; }
  size_t pages() const { return options_.pages; }

  // Volatile: each access is one, since the page may have left since the last.
  volatile uint64_t* Words(PageIndex page) {
    return reinterpret_cast<volatile uint64_t*>(pager_->table().AddressOf(page));
  }
  void* Address(PageIndex page) { return reinterpret_cast<void*>(pager_->table().AddressOf(page)); }

  PageState StateOf(PageIndex page) { return pager_->table().state(page).load(); }
  bool IsFar(PageIndex page) { return Residency(StateOf(page)) == kFar; }

  // Every word of a page, from the page and a value of the test's.
  static uint64_t Pattern(PageIndex page, uint64_t value, size_t word) {
    return (page + 1) * 0x9e3779b97f4a7c15u + value * 0x100000001b3u + word;
  }
  void Fill(PageIndex page, uint64_t value) {
    volatile uint64_t* const words = Words(page);
    for (size_t i = 0; i < kPageWords; ++i) words[i] = Pattern(page, value, i);
  }
  void FillRange(PageIndex first, size_t count, uint64_t value) {
    for (PageIndex page = first; page < first + count; ++page) Fill(page, value);
  }
  bool Holds(PageIndex page, uint64_t value) {
    volatile uint64_t* const words = Words(page);
    for (size_t i = 0; i < kPageWords; ++i) {
      if (words[i] != Pattern(page, value, i)) return false;
    }
    return true;
  }
  bool HoldsZeroes(PageIndex page) {
    volatile uint64_t* const words = Words(page);
    for (size_t i = 0; i < kPageWords; ++i) {
      if (words[i] != 0) return false;
    }
    return true;
  }

  // Brings one more page of zeroes in, which needs a frame.
  void Press() {
    pager_->MakeLocal(options_.pages + pressed_++ % ScratchPages(options_), *port_,
                      Cause::kMutator);
  }
  // Makes unpinned pages far and waits for their write-back.
  void Evict(PageIndex first, size_t count = 1) {
    for (PageIndex page = first; page < first + count; ++page) {
      while (!IsFar(page)) Press();
    }
  }

  uint64_t ReadBytes() const { return Sum(fabric_->Stats().read_bytes); }
  uint64_t WrittenBytes() const { return Sum(fabric_->Stats().written_bytes); }

  // Leaves so many frames free that none of a few accesses is followed by an eviction.
  void MakeRoom() { LeaveFree(2 * Evictor::LowWatermark(pager_->budget())); }
  // The evictor's own thread would rest with fewer.
  void LeaveFree(size_t frames) {
    EXPECT_TRUE(Eventually([&] {
      return pager_->budget().free() >= frames || (pager_->evictor().TryEvict(), false);
    }));
  }
  // Lands all that is in flight.
  void LandAll() {
    EXPECT_TRUE(Eventually([&] {
      pager_->arrivals().Land();
      return pager_->arrivals().in_flight() == 0;
    }));
  }
  // Pages brought in early for one asker, here and not used yet.
  size_t UnusedPages(const EarlyMetrics& early) {
    size_t count = 0;
    for (PageIndex page = 0; page < pager_->table().used(); ++page) {
      const PageState seen = StateOf(page);
      count += Residency(seen) == kLocal && (seen & kPrefetched) != 0 &&
               &metrics().EarlyFor(seen) == &early;
    }
    return count;
  }

  // Pages of the heap that are in this process's memory, as the kernel counts.
  size_t ResidentPages() {
    std::vector<unsigned char> resident(pager_->table().pages());
    EXPECT_EQ(mincore(Address(0), resident.size() * base::kPageSize, resident.data()), 0);
    return static_cast<size_t>(
        std::count_if(resident.begin(), resident.end(), [](unsigned char c) { return c & 1; }));
  }

 private:
  static size_t ScratchPages(const RigOptions& options) { return 4 * options.local_pages; }
  static PagerOptions PagerOptionsOf(const RigOptions& options) {
    return {.heap_bytes = (options.pages + ScratchPages(options)) * base::kPageSize,
            .local_pages = options.local_pages,
            .use_move = options.use_move,
            .protect_dead = options.protect_dead,
            .on_lost = options.on_lost,
            .prefetched = options.prefetched};
  }
  static uint64_t Sum(const uint64_t (&lanes)[rdma::kLaneCount]) {
    uint64_t sum = 0;
    for (const uint64_t bytes : lanes) sum += bytes;
    return sum;
  }

  const RigOptions options_;
  base::Registry registry_;
  std::unique_ptr<rdma::Fabric> fabric_;
  std::unique_ptr<Pager> pager_;
  std::unique_ptr<Port> port_;
  size_t pressed_ = 0;
};

// A thread's own port, bound for a scope.
class BoundPort {
 public:
  explicit BoundPort(Pager& pager, std::unique_ptr<AccessObserver> observer = nullptr)
      : pager_(pager), port_(std::move(pager.OpenPort(std::move(observer)).value())) {
    pager_.BindThread(*port_);
  }
  ~BoundPort() { pager_.UnbindThread(); }
  BoundPort(const BoundPort&) = delete;
  BoundPort& operator=(const BoundPort&) = delete;

  Port& operator*() { return *port_; }

 private:
  Pager& pager_;
  std::unique_ptr<Port> port_;
};

// Both ways in which pages travel: moved by the kernel, or copied as before Linux 6.8.
enum class Road : uint8_t { kMove, kCopy };

inline bool KernelMovesPages() { return Userfault::Open(true).value().has_move(); }

class RoadTest : public ::testing::TestWithParam<Road> {
 protected:
  void SetUp() override {
    if (UseMove() && !KernelMovesPages()) GTEST_SKIP() << "this kernel does not move pages";
  }
  bool UseMove() const { return GetParam() == Road::kMove; }
};

inline std::string RoadName(const ::testing::TestParamInfo<Road>& info) {
  return info.param == Road::kMove ? "Move" : "Copy";
}
#define TANDEM_ON_BOTH_ROADS(suite) \
  INSTANTIATE_TEST_SUITE_P(Roads, suite, ::testing::Values(Road::kMove, Road::kCopy), RoadName)

}  // namespace tandem::swap
