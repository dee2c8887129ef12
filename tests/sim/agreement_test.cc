// A real heap and the simulator, given the same events: how many pages each of them fetches.
//
// What can be compared is what does not hang on who is faster: no cycle, or cycles for which the
// application waits; one thread, no prefetcher, and a fabric without a wait in which a page or two
// would be evicted, as many as fit at the moment. docs/simulator.md says why.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <functional>
#include <map>
#include <string>

#include "runtime/record/reader.h"
#include "sim/simulation.h"
#include "tandem/array.h"
#include "tandem/persistent.h"
#include "tandem/recording.h"
#include "workloads/random.h"

namespace tandem::sim {
namespace {

using Counters = std::map<std::string, uint64_t>;

struct Node : GarbageCollected<Node> {
  void Trace(Visitor* visitor) const {
    for (const auto& reference : references) visitor->Trace(reference);
  }
  Member<Node> references[4];
  uint64_t padding[3]{};  // with the header: 64 bytes
};
using Nodes = Array<Member<Node>>;

constexpr uint64_t kNodes = 49152;  // on 768 pages, and 96 of the array's

struct Setting {
  const char* order;
  uint64_t local_pages;
};
std::string NameOf(const Setting& setting) {
  return std::string(setting.order) + "_" + std::to_string(setting.local_pages);
}

class AgreementTest : public ::testing::TestWithParam<Setting> {
 protected:
  AgreementTest()
      : path_(::testing::TempDir() + "agreement-" + std::to_string(getpid()) + "-" +
              NameOf(GetParam())) {}
  ~AgreementTest() override { std::remove(path_.c_str()); }

  // Runs it on a real heap, recorded, and then on paper.
  void RunBoth(const std::function<void(Heap&, Mutator&)>& work) {
    const uint64_t local_bytes = GetParam().local_pages * 4096;
    {
      auto recording = std::move(Recording::Create(path_).value());
      HeapOptions options;
      options.heap_bytes = 16 << 20;
      options.local_bytes = local_bytes;
      options.fabric = "emulated:none";
      options.order = GetParam().order;
      options.automatic = false;
      options.recording = recording.get();
      {
        auto heap = std::move(Heap::Create(options).value());
        {
          Mutator mutator(*heap);
          work(*heap, mutator);
        }
        real_ = heap->Counters();
      }
      ASSERT_TRUE(recording->Finish().ok());
    }
    auto events = std::move(record::Reader::Open(path_).value());
    auto result = Simulate({.order = GetParam().order, .local_bytes = local_bytes}, *events);
    ASSERT_TRUE(result.ok()) << result.status().message();
    simulated_ = result->counters;
  }

  static void Build(Mutator& mutator, Persistent<Nodes>& nodes, uint64_t seed) {
    nodes = Nodes::Make(mutator, kNodes);
    for (uint64_t i = 0; i < kNodes; ++i) (*nodes)[i] = MakeGarbageCollected<Node>(mutator);
    workloads::Random random(seed);
    for (uint64_t i = 0; i < kNodes; ++i) {
      for (auto& reference : (*nodes)[i]->references) {
        reference = (*nodes)[random.Below(kNodes)];
      }
    }
  }

  static void Walk(Node& start, int steps) {
    workloads::Random random(2);
    Node* node = &start;
    for (int i = 0; i < steps; ++i) node = node->references[random.Below(4)];
    EXPECT_NE(node, nullptr);
  }

  static uint64_t ByCollector(const Counters& c) {
    return c.at("fetch.demand.collector") + c.at("fetch.trace");
  }
  static void ExpectWithinTenPercent(uint64_t real, uint64_t simulated, const char* what) {
    EXPECT_LE(10 * simulated, 11 * real) << what;
    EXPECT_GE(10 * simulated, 9 * real) << what;
  }

  const std::string path_;
  Counters real_, simulated_;
};

// No order of tracing has a part in it.
class WithoutCyclesTest : public AgreementTest {};

TEST_P(WithoutCyclesTest, AgreementOfAnApplicationThatIsNotCollected) {
  RunBoth([](Heap& heap, Mutator& mutator) {
    Persistent<Nodes> nodes(heap);
    Build(mutator, nodes, 1);
    Walk(*(*nodes)[0], 40000);
  });
  EXPECT_GT(real_["fetch.demand.mutator"], 15000u);
  EXPECT_EQ(simulated_["gc.cycles"], 0u);
  ExpectWithinTenPercent(real_["fetch.demand.mutator"], simulated_["fetch.demand.mutator"],
                         "fetches by the application");
}

TEST_P(AgreementTest, OfCyclesThatTheApplicationWaitsFor) {
  RunBoth([](Heap& heap, Mutator& mutator) {
    Persistent<Nodes> nodes(heap);
    Build(mutator, nodes, 1);
    heap.Collect();
    Walk(*(*nodes)[0], 10000);
    // A half of the graph goes.
    for (uint64_t i = 0; i < kNodes; i += 2) (*nodes)[i] = nullptr;
    for (uint64_t i = 1; i < kNodes; i += 2) (*nodes)[i]->references[0] = nullptr;
    heap.Collect();
  });
  EXPECT_EQ(real_["gc.cycles"], 2u);
  EXPECT_EQ(simulated_["gc.cycles"], 2u);
  EXPECT_EQ(real_["gc.objects_marked"], simulated_["gc.objects_marked"]);
  ExpectWithinTenPercent(real_["fetch.demand.mutator"], simulated_["fetch.demand.mutator"],
                         "fetches by the application");
  ExpectWithinTenPercent(ByCollector(real_), ByCollector(simulated_), "fetches by the collector");
}

// A half of the pages and a quarter.
INSTANTIATE_TEST_SUITE_P(Sizes, WithoutCyclesTest,
                         ::testing::Values(Setting{"lifo", 216}, Setting{"lifo", 432}),
                         [](const auto& setting) { return NameOf(setting.param); });
INSTANTIATE_TEST_SUITE_P(Orders, AgreementTest,
                         ::testing::Values(Setting{"lifo", 216}, Setting{"fifo", 216},
                                           Setting{"memliner", 216}, Setting{"lineup", 216},
                                           Setting{"lifo", 432}, Setting{"fifo", 432},
                                           Setting{"memliner", 432}, Setting{"lineup", 432}),
                         [](const auto& setting) { return NameOf(setting.param); });

}  // namespace
}  // namespace tandem::sim
