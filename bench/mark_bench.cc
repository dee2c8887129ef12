// How fast the collector marks, no mutator running: everything local, and a quarter local.
//
// 4 M objects of 64 bytes. `random`: each with three or four references to any others, so that
// every mark and every header is a cache miss; `tree`: a binary tree in the order of a
// depth-first allocation. `M_objects_s` is gc.objects_marked over gc.mark_ns, the handshakes and
// the root scan included. The bench's iteration is a whole cycle, the sweep as well.
// Limit: page walks. In 256 MiB of 4 KiB pages a dependent random load took about 490 ns on the
// busy machine this was written on, one of many independent ones 35 ns: what counts is how many
// misses are in flight.
// Target: random, one tracer, at least 8 M objects/s.
//
// `Far`: 1 M objects of 64 bytes, a random graph, a quarter of it local, fabric rdma40-share; one
// whole mark. `fetches_a_page`: pages read for it, waited for or not, over the heap's pages.
// Target: lineup at most 4 (lifo: about 38). Limit: 0.75, each far page once.
#include <benchmark/benchmark.h>

#include <vector>

#include "bench/bench_heap.h"
#include "tandem/tandem.hpp"
#include "workloads/random.h"

namespace tandem::bench {
namespace {

constexpr uint32_t kObjects = 4 << 20;

struct Node : GarbageCollected<Node> {
  void Trace(Visitor* visitor) const { visitor->TraceRange(edges, 4); }
  Member<Node> edges[4];
  uint64_t padding[3]{};  // with the header: 64 bytes
};

Node* MakeRandomGraph(Mutator& mutator, uint32_t objects) {
  std::vector<Node*> nodes(objects);
  for (Node*& node : nodes) node = MakeGarbageCollected<Node>(mutator);
  workloads::Random random(1);
  for (Node* node : nodes) {
    const uint64_t count = 3 + random.Below(2);
    for (uint64_t i = 0; i < count; ++i) node->edges[i] = nodes[random.Below(objects)];
  }
  return nodes[0];
}

Node* MakeTree(Mutator& mutator, uint32_t objects) {
  Node* node = MakeGarbageCollected<Node>(mutator);
  if (const uint32_t left = (objects - 1) / 2; left > 0) {
    node->edges[0] = MakeTree(mutator, left);
  }
  if (const uint32_t right = objects / 2; objects > 1 && right > 0) {
    node->edges[1] = MakeTree(mutator, right);
  }
  return node;
}

void Mark(benchmark::State& state, const char* order, bool tree) {
  const auto heap = OpenHeap({.heap_bytes = 384 * kMiB,
                              .order = order,
                              .tracer_threads = static_cast<unsigned>(state.range(0)),
                              .automatic = false});
  Persistent<Node> root(*heap);
  {
    Mutator mutator(*heap);
    root = tree ? MakeTree(mutator, kObjects) : MakeRandomGraph(mutator, kObjects);
  }
  heap->Collect();
  CounterDelta delta(*heap);
  for (auto _ : state) heap->Collect();
  delta.Stop();
  state.counters["M_objects_s"] = delta["gc.objects_marked"] * 1e3 / delta["gc.mark_ns"];
  state.counters["marked"] = delta["gc.objects_marked"] / static_cast<double>(state.iterations());
  state.counters["sweep_ms"] = delta["gc.sweep_ns"] / 1e6 / static_cast<double>(state.iterations());
}

void Far(benchmark::State& state, const char* order) {
  constexpr uint32_t kFarObjects = 1 << 20;
  const auto heap = OpenHeap({.heap_bytes = 128 * kMiB,
                              .local_bytes = 16 * kMiB,
                              .fabric = "emulated:rdma40-share",
                              .order = order,
                              .automatic = false});
  Persistent<Node> root(*heap);
  {
    Mutator mutator(*heap);
    root = MakeRandomGraph(mutator, kFarObjects);
  }
  CounterDelta delta(*heap);
  for (auto _ : state) heap->Collect();
  delta.Stop();
  const double pages = kFarObjects * 64.0 / 4096;
  state.counters["fetches_a_page"] = (delta["fetch.demand.collector"] + delta["fetch.trace"]) /
                                     static_cast<double>(state.iterations()) / pages;
  state.counters["waited_a_page"] =
      delta["fetch.demand.collector"] / static_cast<double>(state.iterations()) / pages;
  state.counters["M_objects_s"] = delta["gc.objects_marked"] * 1e3 / delta["gc.mark_ns"];
}

void ConfigureFar(benchmark::internal::Benchmark* benchmark) {
  benchmark->UseRealTime()->Unit(benchmark::kMillisecond)->Iterations(1);
}
BENCHMARK_CAPTURE(Far, lifo, "lifo")->Apply(ConfigureFar);
BENCHMARK_CAPTURE(Far, fifo, "fifo")->Apply(ConfigureFar);
BENCHMARK_CAPTURE(Far, memliner, "memliner")->Apply(ConfigureFar);
BENCHMARK_CAPTURE(Far, lineup, "lineup")->Apply(ConfigureFar);

void Configure(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgName("tracers")
      ->Arg(1)
      ->Arg(2)
      ->UseRealTime()
      ->Unit(benchmark::kMillisecond)
      ->Iterations(4);
}
BENCHMARK_CAPTURE(Mark, random_lifo, "lifo", false)->Apply(Configure);
BENCHMARK_CAPTURE(Mark, random_fifo, "fifo", false)->Apply(Configure);
BENCHMARK_CAPTURE(Mark, random_memliner, "memliner", false)->Apply(Configure);
BENCHMARK_CAPTURE(Mark, random_lineup, "lineup", false)->Apply(Configure);
BENCHMARK_CAPTURE(Mark, tree_lifo, "lifo", true)->Apply(Configure);
BENCHMARK_CAPTURE(Mark, tree_fifo, "fifo", true)->Apply(Configure);

}  // namespace
}  // namespace tandem::bench
