// What the barriers cost when they find nothing to do: everything local and touched, no cycle.
//
// Access: one chase through objects of a cache line each, alternately in stretches through
// Member::Get and through bare loads of the same slots, so that objects, memory, TLB and whatever
// else runs on the machine are the same for both. `overhead_pct` is the median over pairs of
// neighbouring stretches. The chase goes round in random order or in that of the addresses; of
// 256 MiB it waits for memory, of 256 KiB it waits for the cache and shows the worst case.
// Limit: the next address depends on the load, the test of the state byte only has to keep up.
// Target: random/256MiB at most 5 %.
//
// Store: Member::Set against a bare release store, into 16 KiB.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "bench/bench_heap.h"
#include "runtime/base/clock.h"
#include "tandem/tandem.hpp"
#include "workloads/random.h"

namespace tandem::bench {
namespace {

struct Node : GarbageCollected<Node> {
  void Trace(Visitor* visitor) const { visitor->Trace(next); }
  Member<Node> next;
  uint64_t padding[6]{};  // with the header: 64 bytes
};
static_assert(sizeof(Member<Node>) == sizeof(Node*));

Node* RawLoad(const Member<Node>& member) {
  Node* target;
  std::memcpy(&target, &member, sizeof(target));
  return target;
}
void RawStore(Member<Node>& member, Node* target) {
  __atomic_store_n(reinterpret_cast<uintptr_t*>(&member), reinterpret_cast<uintptr_t>(target),
                   __ATOMIC_RELEASE);
}

[[gnu::noinline]] Node* ChaseMember(Node* node, uint64_t steps) {
  for (uint64_t i = 0; i < steps; ++i) node = node->next.Get();
  return node;
}
[[gnu::noinline]] Node* ChaseRaw(Node* node, uint64_t steps) {
  for (uint64_t i = 0; i < steps; ++i) node = RawLoad(node->next);
  return node;
}

std::vector<Node*> MakeNodes(Mutator& mutator, size_t count) {
  std::vector<Node*> nodes(count);
  for (Node*& node : nodes) node = MakeGarbageCollected<Node>(mutator);
  return nodes;
}

double Median(std::vector<double>& values) {
  std::nth_element(values.begin(), values.begin() + values.size() / 2, values.end());
  return values[values.size() / 2];
}

// Times of the two ways, taken in turn; the one that goes first changes.
class Pairs {
 public:
  template <typename Raw, typename Barrier>
  double Measure(double operations, Raw&& raw, Barrier&& barrier) {
    const bool raw_first = raw_.size() % 2 == 0;
    const uint64_t start = base::NowNs();
    raw_first ? raw() : barrier();
    const uint64_t middle = base::NowNs();
    raw_first ? barrier() : raw();
    const uint64_t end = base::NowNs();
    const double first = static_cast<double>(middle - start) / operations;
    const double second = static_cast<double>(end - middle) / operations;
    raw_.push_back(raw_first ? first : second);
    barrier_.push_back(raw_first ? second : first);
    overhead_.push_back(100 * (barrier_.back() / raw_.back() - 1));
    return barrier_.back() * operations * 1e-9;
  }

  void Report(benchmark::State& state) {
    state.counters["overhead_pct"] = Median(overhead_);
    state.counters["raw_ns"] = Median(raw_);
    state.counters["barrier_ns"] = Median(barrier_);
  }

 private:
  std::vector<double> raw_, barrier_, overhead_;
};

HeapOptions AllLocal() { return {.heap_bytes = 384 * kMiB, .automatic = false}; }

// Arguments: KiB of objects; 1: in random order. Each iteration is a stretch both ways.
void Access(benchmark::State& state) {
  const auto heap = OpenHeap(AllLocal());
  Mutator mutator(*heap);
  const auto count = static_cast<uint32_t>(state.range(0) * 1024 / 64);
  {
    const std::vector<Node*> nodes = MakeNodes(mutator, count);
    std::vector<uint32_t> successor(count);
    if (state.range(1) != 0) {
      successor = workloads::RandomCycle(count, 1);
    } else {
      for (uint32_t i = 0; i < count; ++i) successor[i] = (i + 1) % count;
    }
    for (uint32_t i = 0; i < count; ++i) nodes[i]->next = nodes[successor[i]];
    Node* node = ChaseMember(nodes[0], count);
    Pairs pairs;
    const uint64_t steps = 400'000;
    for (auto _ : state) {
      state.SetIterationTime(pairs.Measure(
          static_cast<double>(steps), [&] { node = ChaseRaw(node, steps); },
          [&] { node = ChaseMember(node, steps); }));
    }
    benchmark::DoNotOptimize(node);
    pairs.Report(state);
  }
}
BENCHMARK(Access)
    ->ArgNames({"KiB", "random"})
    ->Args({256 << 10, 1})
    ->Args({256 << 10, 0})
    ->Args({256, 1})
    ->Args({256, 0})
    ->UseManualTime()
    ->MinTime(2);

void Store(benchmark::State& state) {
  const auto heap = OpenHeap(AllLocal());
  Mutator mutator(*heap);
  const std::vector<Node*> nodes = MakeNodes(mutator, 256);
  Node* const target = nodes[7];
  constexpr int kRounds = 1000;
  Pairs pairs;
  for (auto _ : state) {
    state.SetIterationTime(pairs.Measure(
        static_cast<double>(nodes.size()) * kRounds,
        [&] {
          for (int round = 0; round < kRounds; ++round) {
            for (Node* node : nodes) RawStore(node->next, target);
          }
        },
        [&] {
          for (int round = 0; round < kRounds; ++round) {
            for (Node* node : nodes) node->next.Set(target);
          }
        }));
  }
  pairs.Report(state);
}
BENCHMARK(Store)->UseManualTime();

}  // namespace
}  // namespace tandem::bench
