// How long the collector holds mutators up, with 1 GiB alive and cycles one after the other.
//
// 256 Ki clusters of 64 objects of 64 bytes. Each mutator takes a cluster at random: one time in
// 16 it replaces it by a new one (allocation, garbage), else it turns references round in it (the
// write barrier). `pause_max_ms`, `pause_p99_us`: what the collector counts, the time that a
// handshake's operation takes a thread. `gap_*`: what a mutator itself sees, the time between
// the ends of two steps: handshakes, slow paths and the scheduler's turns with other threads.
// `gap_idle_max_ms` is the same without a cycle: what the machine does to us.
// Target: pause_max_ms below 5, one mutator and two.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <atomic>
#include <thread>
#include <vector>

#include "bench/bench_heap.h"
#include "runtime/base/clock.h"
#include "runtime/base/metrics.h"
#include "tandem/array.h"
#include "tandem/tandem.hpp"
#include "workloads/random.h"

namespace tandem::bench {
namespace {

constexpr uint64_t kClusters = 256 << 10;
constexpr uint64_t kClusterObjects = 64;
constexpr int kCycles = 5;

struct Node : GarbageCollected<Node> {
  void Trace(Visitor* visitor) const { visitor->TraceRange(edges, 4); }
  Member<Node> edges[4];
  uint64_t padding[3]{};  // with the header: 64 bytes
};
using Clusters = Array<Member<Node>>;

Node* MakeCluster(Mutator& mutator, uint64_t objects = kClusterObjects) {
  Node* node = MakeGarbageCollected<Node>(mutator);
  for (uint64_t i = 0, left = objects - 1; i < 4 && left > 0; ++i) {
    const uint64_t share = (left + 3 - i) / (4 - i);
    node->edges[i] = MakeCluster(mutator, share);
    left -= share;
  }
  return node;
}

void TurnRound(Node* node) {
  while (node != nullptr) {
    Node* first = node->edges[0];
    node->edges[0] = node->edges[1];
    node->edges[1] = node->edges[2];
    node->edges[2] = node->edges[3];
    node->edges[3] = first;
    node = node->edges[0];
  }
}

void Mutate(Heap& heap, Clusters& clusters, uint64_t seed, const std::atomic<bool>& stop,
            base::Histogram* const& gaps) {
  Mutator mutator(heap);
  workloads::Random random(seed);
  uint64_t last = base::NowNs();
  while (!stop.load(std::memory_order_relaxed)) {
    Member<Node>& cluster = clusters[random.Below(kClusters)];
    if (random.Below(16) == 0) {
      cluster = MakeCluster(mutator);
    } else {
      TurnRound(cluster);
    }
    const uint64_t now = base::NowNs();
    __atomic_load_n(&gaps, __ATOMIC_RELAXED)->Record(now - last);
    last = now;
  }
}

void Pause(benchmark::State& state) {
  const auto heap = OpenHeap({.heap_bytes = 3072 * kMiB, .automatic = false});
  Persistent<Clusters> clusters(*heap);
  Clusters* raw = nullptr;
  {
    Mutator mutator(*heap);
    clusters = Clusters::Make(mutator, kClusters);
    raw = clusters.Get();
    for (uint64_t i = 0; i < kClusters; ++i) (*clusters)[i] = MakeCluster(mutator);
  }
  base::Histogram idle;
  base::Histogram busy;
  base::Histogram* gaps = &idle;
  std::atomic<bool> stop{false};
  std::vector<std::thread> mutators;
  for (int64_t i = 0; i < state.range(0); ++i) {
    mutators.emplace_back([&, i] { Mutate(*heap, *raw, i + 1, stop, gaps); });
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(500));
  CounterDelta delta(*heap);
  __atomic_store_n(&gaps, &busy, __ATOMIC_RELAXED);
  for (auto _ : state) {
    for (int i = 0; i < kCycles; ++i) heap->Collect();
  }
  delta.Stop();
  stop.store(true);
  for (auto& thread : mutators) thread.join();

  auto counters = heap->Counters();
  state.counters["pause_max_ms"] = static_cast<double>(counters["gc.pause_max_ns"]) / 1e6;
  state.counters["pause_p99_us"] = static_cast<double>(counters["gc.pause.p99_ns"]) / 1e3;
  state.counters["pause_p50_us"] = static_cast<double>(counters["gc.pause.p50_ns"]) / 1e3;
  state.counters["pauses"] = delta["gc.pause.count"];
  state.counters["gap_max_ms"] = static_cast<double>(busy.MaxNs()) / 1e6;
  state.counters["gap_p999_us"] = static_cast<double>(busy.QuantileNs(0.999)) / 1e3;
  state.counters["gap_idle_max_ms"] = static_cast<double>(idle.MaxNs()) / 1e6;
  state.counters["gap_idle_p999_us"] = static_cast<double>(idle.QuantileNs(0.999)) / 1e3;
  state.counters["cycle_ms"] =
      (delta["gc.mark_ns"] + delta["gc.sweep_ns"]) / 1e6 / delta["gc.cycles"];
  state.counters["live_mib"] = static_cast<double>(counters["gc.live_peak_bytes"]) / kMiB;
  state.counters["stall_max_ms"] = static_cast<double>(counters["gc.stall.max_ns"]) / 1e6;
}
BENCHMARK(Pause)
    ->ArgName("mutators")
    ->Arg(1)
    ->Arg(2)
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond)
    ->Iterations(1);

}  // namespace
}  // namespace tandem::bench
