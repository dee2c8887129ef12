// HeapOptions::prefetcher, Mutator::Prefetch and PrefetchRange.
#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "tests/api/graph.h"

namespace tandem {
namespace {

using namespace testing;  // NOLINT: the tests' own vocabulary

struct RoadAndPrefetcher {
  bool use_move;
  std::string prefetcher;
};
void PrintTo(const RoadAndPrefetcher& c, std::ostream* out) {
  *out << c.prefetcher << (c.use_move ? ", move" : ", copy");
}

std::vector<RoadAndPrefetcher> AllPrefetchers() {
  std::vector<RoadAndPrefetcher> all;
  for (const auto& p : ListComponents().prefetchers) {
    all.push_back({true, p.name});
    all.push_back({false, p.name});
  }
  return all;
}

class AnyPrefetcher : public ::testing::TestWithParam<RoadAndPrefetcher> {
 protected:
  HeapOptions Options() {
    HeapOptions options = Quiet();
    options.local_bytes = 1 << 20;
    options.use_move = GetParam().use_move;
    options.prefetcher = GetParam().prefetcher;
    return options;
  }
};

constexpr size_t kLength = 512 * 1024;  // of an array of 4 MiB
constexpr size_t kPages = kLength * sizeof(uint64_t) / 4096;

uint64_t Sum(Array<uint64_t>& array) {
  uint64_t sum = 0;
  const size_t length = array.length();
  for (size_t i = 0; i < length; ++i) sum += array[i];
  return sum;
}

TEST_P(AnyPrefetcher, ScansMissLessAndReadTheSame) {
  auto heap = MakeHeap(Options());
  Mutator mutator(*heap);
  Persistent<Array<uint64_t>> array(*heap, Array<uint64_t>::Make(mutator, kLength));
  uint64_t expected = 0;
  for (size_t i = 0; i < kLength; ++i) expected += (*array)[i] = i * i;
  const uint64_t misses = heap->Counters()["fetch.demand.mutator"];
  for (int round = 0; round < 3; ++round) {
    PushOut(mutator);
    EXPECT_EQ(Sum(*array), expected);
  }
  auto counters = heap->Counters();
  const uint64_t missed = counters["fetch.demand.mutator"] - misses;
  if (GetParam().prefetcher == "none") {
    EXPECT_EQ(counters["fetch.prefetch"], 0u);
    EXPECT_GE(missed, 2 * kPages);
  } else {
    // How many depends on how much room the evictor has made by then.
    EXPECT_LT(missed, 2 * kPages);
    EXPECT_GT(counters["prefetch.hits"], kPages / 2);
  }
  EXPECT_LE(heap->Memory().local_peak_bytes, heap->Memory().local_limit_bytes);
}

TEST_P(AnyPrefetcher, GraphsAreIntactWhereThreadsAndTheCollectorComeBetween) {
  HeapOptions options = Options();
  options.fabric = "emulated:rdma40";
  auto heap = MakeHeap(options);
  std::vector<std::thread> threads;
  for (int t = 0; t < 2; ++t) {
    threads.emplace_back([&] {
      Mutator mutator(*heap);
      constexpr int kDepth = 13;
      Persistent<Node> tree(*heap, MakeTree(mutator, kDepth));
      for (int round = 0; round < Rounds(4); ++round) {
        EXPECT_EQ(SumTree(tree.Get()), TreeSum(kDepth));
        heap->Collect();
        tree = MakeTree(mutator, kDepth);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_LE(heap->Memory().local_peak_bytes, heap->Memory().local_limit_bytes);
}

INSTANTIATE_TEST_SUITE_P(All, AnyPrefetcher, ::testing::ValuesIn(AllPrefetchers()),
                         [](const auto& test) {
                           std::string name = test.param.prefetcher;
                           std::erase(name, '-');
                           return name + (test.param.use_move ? "Move" : "Copy");
                         });

// --- Hints ---

class Hints : public ::testing::Test {
 protected:
  // Leaves so many frames free that none of a few accesses is followed by an eviction.
  void MakeRoom() {
    swap::Pager& pager = *heap_->impl().pager;
    const size_t enough = 2 * swap::Evictor::LowWatermark(pager.budget());
    while (pager.budget().free() < enough) pager.evictor().TryEvict();
  }
  // Pages that were asked for have come, or not, once nothing is in flight.
  void Settle() {
    swap::Arrivals& arrivals = heap_->impl().pager->arrivals();
    while (arrivals.in_flight() > 0) arrivals.Land();
  }
  uint64_t Counter(const char* name) { return heap_->Counters()[name]; }

  std::unique_ptr<Heap> heap_ = MakeHeap([] {
    HeapOptions options = Quiet();
    options.local_bytes = 1 << 20;
    return options;
  }());
  Mutator mutator_{*heap_};
};

TEST_F(Hints, AMembersTargetComesWithoutAnybodyWaiting) {
  Persistent<Node> near(*heap_, MakeGarbageCollected<Node>(mutator_, 1u));
  for (uint64_t i = 0; i < 200; ++i) near->right = MakeGarbageCollected<Node>(mutator_, i);
  near->left = MakeGarbageCollected<Node>(mutator_, 2u);
  const Hidden far(near->left.Get());
  PushOut(mutator_);
  MakeRoom();
  Node* node = near.Get();
  const void* const target = far.As<void>();
  ASSERT_FALSE(IsLocal(*heap_, target));
  const uint64_t misses = Counter("fetch.demand.mutator");
  mutator_.Prefetch(node->left);
  Settle();
  EXPECT_TRUE(IsLocal(*heap_, target));
  EXPECT_EQ(Counter("fetch.hint"), 1u);
  EXPECT_EQ(Counter("hint.hits"), 0u);  // nobody has touched it
  mutator_.Prefetch(node->left);
  EXPECT_EQ(Counter("fetch.hint"), 1u);
  EXPECT_EQ(node->left->value, 2u);
  EXPECT_EQ(Counter("hint.hits"), 1u);
  EXPECT_EQ(Counter("fetch.demand.mutator"), misses);
}

TEST_F(Hints, OfNullOfOtherMemoryAndOfOtherHeapsAreWithoutEffect) {
  auto other = MakeHeap(QuietAndFar());
  Mutator other_mutator(*other);
  Persistent<Node> foreign(*other, MakeGarbageCollected<Node>(other_mutator, 1u));
  foreign->left = MakeGarbageCollected<Node>(other_mutator, 2u);
  PushOut(other_mutator);
  Node* node = MakeGarbageCollected<Node>(mutator_, 1u);
  mutator_.Prefetch(node->left);     // null
  mutator_.Prefetch(foreign->left);  // of the other heap
  int native = 0;
  mutator_.PrefetchRange(&native, sizeof native);
  mutator_.PrefetchRange(nullptr, SIZE_MAX);
  mutator_.PrefetchRange(node, 0);
  mutator_.PrefetchRange(node, 1);  // local
  EXPECT_EQ(Counter("fetch.hint"), 0u);
  EXPECT_EQ(other->Counters()["fetch.hint"], 0u);
}

TEST_F(Hints, ARangeComesAsFarAsThereIsRoom) {
  Persistent<Array<uint64_t>> array(*heap_, Array<uint64_t>::Make(mutator_, kLength));
  for (size_t i = 0; i < kLength; ++i) (*array)[i] = i;
  PushOut(mutator_);
  MakeRoom();
  const auto* const start = reinterpret_cast<const char*>(array->data());
  const auto page = [&](size_t n) { return start + n * 4096; };
  ASSERT_FALSE(IsLocal(*heap_, page(8)));
  mutator_.PrefetchRange(page(8), 2 * 4096);
  Settle();
  EXPECT_EQ(Counter("fetch.hint"), 3u);  // it begins and ends within pages
  for (size_t n = 8; n <= 10; ++n) EXPECT_TRUE(IsLocal(*heap_, page(n)));
  EXPECT_FALSE(IsLocal(*heap_, page(12)));

  mutator_.PrefetchRange(start, kLength * sizeof(uint64_t));
  mutator_.PrefetchRange(start, SIZE_MAX);  // what is beyond the heap is left out
  Settle();
  EXPECT_GT(Counter("fetch.hint"), 3u);
  EXPECT_LT(Counter("fetch.hint"), kPages);
  EXPECT_LE(heap_->Memory().local_peak_bytes, heap_->Memory().local_limit_bytes);
  EXPECT_EQ(Sum(*array), kLength * (kLength - 1) / 2);
}

}  // namespace
}  // namespace tandem
