#include "tandem/heap.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "tests/api/graph.h"

namespace tandem {
namespace {

using testing::MakeHeap;
using testing::MakeTree;
using testing::Node;
using testing::SumTree;
using testing::TreeSum;

TEST(Heap, KeepsATreeThroughCollectionsWhenAllIsLocal) {
  auto heap = MakeHeap({.heap_bytes = 64 << 20, .fabric = "emulated:none", .verify = true});
  Mutator mutator(*heap);
  Node* tree = MakeTree(mutator, 12);
  for (int i = 0; i < 3; ++i) {
    heap->Collect();
    EXPECT_EQ(SumTree(tree), TreeSum(12));
  }
  EXPECT_EQ(heap->Counters()["gc.cycles"], 3u);
  EXPECT_EQ(heap->Counters()["fetch.demand.mutator"], 0u);
}

// Both ways of moving pages, and both orders.
struct Variant {
  bool use_move;
  const char* order;
  unsigned tracers;
};

class FarHeap : public ::testing::TestWithParam<Variant> {
 protected:
  HeapOptions Options() const {
    return {.heap_bytes = 128 << 20,
            .local_bytes = 1 << 20,
            .fabric = "emulated:none",
            .order = GetParam().order,
            .tracer_threads = GetParam().tracers,
            .use_move = GetParam().use_move,
            .verify = true};
  }
};

TEST_P(FarHeap, KeepsATreeLargerThanLocalMemory) {
  auto heap = MakeHeap(Options());
  Mutator mutator(*heap);
  constexpr int kDepth = 16;  // 131071 nodes of 48 bytes: 6 MiB
  Node* tree = MakeTree(mutator, kDepth);
  ASSERT_NE(tree, nullptr);
  EXPECT_EQ(SumTree(tree), TreeSum(kDepth));
  heap->Collect();
  EXPECT_EQ(SumTree(tree), TreeSum(kDepth));
  auto counters = heap->Counters();
  EXPECT_GT(counters["fetch.demand.mutator"], 500u);
  EXPECT_GT(counters["fetch.demand.collector"], 500u);
  EXPECT_GT(counters["evict.writeback"], 500u);
  EXPECT_LE(heap->Memory().local_peak_bytes, 1u << 20);
}

TEST_P(FarHeap, ReusesTheMemoryOfDeadObjects) {
  auto options = Options();
  options.heap_bytes = 16 << 20;
  auto heap = MakeHeap(options);
  Mutator mutator(*heap);
  Node* kept = MakeTree(mutator, 12);
  for (int i = 0; i < 100; ++i) {
    ASSERT_NE(MakeTree(mutator, 13), nullptr) << "round " << i;  // 100 x 768 KiB
  }
  EXPECT_EQ(SumTree(kept), TreeSum(12));
  EXPECT_GT(heap->Counters()["gc.cycles"], 3u);
}

TEST_P(FarHeap, IsSharedByThreads) {
  auto heap = MakeHeap(Options());
  Mutator main(*heap);
  Persistent<Array<Member<Node>>> shared(*heap, Array<Member<Node>>::Make(main, 4));
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      Mutator mutator(*heap);
      for (int i = 0; i < 10; ++i) {
        (*shared)[t] = MakeTree(mutator, 11);
        EXPECT_EQ(SumTree((*shared)[t]), TreeSum(11));
      }
    });
  }
  {
    BlockingScope blocking(main);
    for (auto& thread : threads) thread.join();
  }
  heap->Collect();
  for (int t = 0; t < 4; ++t) EXPECT_EQ(SumTree((*shared)[t]), TreeSum(11));
}

INSTANTIATE_TEST_SUITE_P(Roads, FarHeap,
                         ::testing::Values(Variant{true, "lifo", 1}, Variant{true, "fifo", 2},
                                           Variant{false, "lifo", 2}, Variant{false, "fifo", 1},
                                           Variant{true, "memliner", 1}, Variant{true, "lineup", 2},
                                           Variant{false, "lineup", 1}),
                         [](const auto& p) {
                           return std::string(p.param.use_move ? "Move" : "Copy") + p.param.order +
                                  std::to_string(p.param.tracers);
                         });

}  // namespace
}  // namespace tandem
