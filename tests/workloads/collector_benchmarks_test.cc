// The benchmarks that collectors are known by, against arithmetic and std::map.
#include <fmt/format.h>

#include <iterator>
#include <map>
#include <string>
#include <utility>

#include "tandem/persistent.h"
#include "tests/workloads/harness.h"
#include "workloads/random.h"
#include "workloads/splay_tree.h"

namespace tandem::workloads {
namespace {

TEST(GcBenchTest, CountsAsManyNodesAsItsTreesHaveAndSumsTheArray) {
  // Depth 6: the stretch tree of 511 nodes; 2 x 32 trees of 31 and 2 x 8 of 127; the long-lived
  // one.
  const uint64_t nodes = 511 + 2 * 32 * 31 + 2 * 8 * 127 + 127;
  // 1 + 1/2 + ... + 1/9
  EXPECT_EQ(RunTiny("gcbench", {{"depth", {"6"}}, {"array", {"20"}}}).checksum,
            fmt::format("{} 2.828968", nodes));
}

TEST(GcBenchTest, AnswerDoesNotDependOnThreads) {
  EXPECT_EQ(RunTiny("gcbench", {{"threads", {"1"}}}).checksum,
            RunTiny("gcbench", {{"threads", {"3"}}}).checksum);
}

TEST(SplayTreeTest, HoldsWhatAMapHolds) {
  HeapOptions options;
  options.heap_bytes = uint64_t{16} << 20;
  options.collect_every = 997;
  auto heap = Heap::Create(options);
  ASSERT_TRUE(heap.ok()) << heap.status().message();
  Mutator mutator(**heap);
  Persistent<SplayTree> tree(**heap, MakeGarbageCollected<SplayTree>(mutator));
  ASSERT_TRUE(tree);
  std::map<uint64_t, uint64_t> model;  // hashes of payloads
  EXPECT_EQ(tree->Find(1), nullptr);
  EXPECT_EQ(tree->GreatestBelow(1), nullptr);
  EXPECT_EQ(tree->Remove(1), nullptr);

  Random random(5);
  for (int step = 0; step < 20'000; ++step) {
    const uint64_t key = random.Below(500);
    const auto expected = model.find(key);
    const SplayTree::Node* found = tree->Find(key);
    ASSERT_EQ(found != nullptr, expected != model.end()) << "step " << step;
    if (found != nullptr) {
      ASSERT_EQ(found->payload->Hash(), expected->second);
    }
    const auto not_below = model.lower_bound(key);
    const SplayTree::Node* below = tree->GreatestBelow(key);
    ASSERT_EQ(below != nullptr, not_below != model.begin());
    if (below != nullptr) {
      ASSERT_EQ(below->key, std::prev(not_below)->first);
    }
    if (found != nullptr) {
      ASSERT_EQ(tree->Remove(key), found);
      model.erase(key);
    } else {
      SplayPayload* payload = SplayPayload::Make(mutator, random.Below(3), key);
      ASSERT_NE(payload, nullptr);
      ASSERT_TRUE(tree->Insert(mutator, key, payload));
      model[key] = payload->Hash();
    }
  }
  EXPECT_GT(model.size(), 100u);
}

// What the workload must come to, on a std::map.
std::string SplayOnNativeMemory(uint64_t nodes, uint64_t steps, uint64_t seed) {
  const auto hash_of = [](uint64_t key) {
    uint64_t hash = HashBytes(fmt::format("String for key {} in leaf node", key));
    for (uint64_t i = 0; i < 10; ++i) hash = Mix(hash ^ i);
    return hash;
  };
  std::map<uint64_t, uint64_t> tree;
  Random random(seed);
  for (uint64_t i = 0; i < nodes; ++i) tree[random.Next()] = 0;
  uint64_t checksum = 0;
  for (uint64_t i = 0; i < steps; ++i) {
    auto removed = tree.emplace(random.Next(), 0).first;
    if (removed != tree.begin()) --removed;
    checksum = Mix(checksum ^ hash_of(removed->first));
    tree.erase(removed);
  }
  for (auto node = tree.rbegin(); node != tree.rend(); ++node)
    checksum = Mix(checksum ^ node->first);
  return fmt::format("{:016x}-{}", checksum, tree.size());
}

TEST(SplayTest, ReplacesWhatAMapDoes) {
  const OptionMap options = {{"nodes", {"300"}}, {"steps", {"2000"}}, {"seed", {"9"}}};
  EXPECT_EQ(RunTiny("splay", options).checksum, SplayOnNativeMemory(300, 2000, 9));
  EXPECT_EQ(RunTiny("splay", {{"nodes", {"1"}}, {"payload", {"0"}}, {"steps", {"50"}}}).checksum,
            SplayOnNativeMemory(1, 50, 1));
}

TEST(SplayTest, EstimatesWhatLives) {
  StatusOr<std::unique_ptr<Workload>> workload = PrepareTiny("splay", {{"steps", {"1"}}});
  ASSERT_TRUE(workload.ok());
  const RunResult result = RunTiny("splay", {{"steps", {"1"}}});
  const auto estimate = static_cast<double>((*workload)->LiveBytes());
  EXPECT_NEAR(static_cast<double>(result.memory.heap_used_bytes), estimate, 0.1 * estimate);
}

TEST(CollectorBenchmarksTest, AreRefusedOnAHeapThatIsTooSmall) {
  const std::pair<const char*, OptionMap> large[] = {{"gcbench", {{"depth", {"13"}}}},
                                                     {"splay", {{"nodes", {"800"}}}}};
  for (const auto& [name, options] : large) {
    StatusOr<std::unique_ptr<Workload>> workload = PrepareTiny(name, options);
    ASSERT_TRUE(workload.ok());
    HeapOptions heap;
    heap.heap_bytes = uint64_t{2} << 20;
    Progress progress;
    EXPECT_EQ(RunOnHeap(**workload, heap, progress).status().code(),
              StatusCode::kResourceExhausted);
  }
}

}  // namespace
}  // namespace tandem::workloads
