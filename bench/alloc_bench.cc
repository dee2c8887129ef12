// Allocation of objects that take 32 bytes, garbage dying all the time: Tandem's heap against
// GC_malloc of Debian's libgc (Boehm), both of 256 MiB with 32 MiB of it alive, both collectors
// at work, threads known to both and libgc's thread-local free lists on.
//
// `leaf`: 24 bytes of plain data (libgc: GC_malloc_atomic, which does not even clear them).
// Otherwise objects with a reference: chains of eight, then dropped. Each thread allocates 24 M
// objects an iteration. `ns_each` is wall time for one thread's objects, so with two threads it
// stays the same if allocation scales.
// Target: Tandem at least twice as fast as libgc, one thread and two.
#include <benchmark/benchmark.h>
#include <gc.h>

#include <barrier>
#include <thread>
#include <vector>

#include "bench/bench_heap.h"
#include "runtime/base/clock.h"
#include "tandem/array.h"
#include "tandem/tandem.hpp"

namespace tandem::bench {
namespace {

constexpr uint64_t kHeapBytes = 256 * kMiB;
constexpr uint64_t kLiveObjects = 32 * kMiB / 32;
constexpr uint64_t kObjects = 24'000'000;
constexpr uint64_t kChain = 8;

// Runs `work` on `threads` new threads at once; returns the time until all are done.
template <typename Work>
double OnThreads(int threads, Work&& work) {
  std::barrier ready(threads + 1);
  std::barrier done(threads + 1);
  std::vector<std::thread> pool;
  for (int i = 0; i < threads; ++i) {
    pool.emplace_back([&] {
      work([&] { ready.arrive_and_wait(); });
      (void)done.arrive();
    });
  }
  ready.arrive_and_wait();
  const uint64_t start = base::NowNs();
  done.arrive_and_wait();
  const double seconds = static_cast<double>(base::NowNs() - start) * 1e-9;
  for (auto& thread : pool) thread.join();
  return seconds;
}

struct Leaf : GarbageCollected<Leaf> {
  uint64_t first = 1;
  uint64_t second = 0;
  uint64_t third = 0;
};
struct Link : GarbageCollected<Link> {
  explicit Link(Link* tail) : next(tail) {}
  void Trace(Visitor* visitor) const { visitor->Trace(next); }
  Member<Link> next;
  uint64_t first = 1;
  uint64_t second = 0;
};

struct RawLink {
  RawLink* next;
  uint64_t first;
  uint64_t second;
};

void Tandem(benchmark::State& state) {
  const auto threads = static_cast<int>(state.range(0));
  const bool leaf = state.range(1) != 0;
  const auto heap = OpenHeap({.heap_bytes = kHeapBytes, .growth = 8});
  Persistent<Array<Member<Link>>> live(*heap);
  {
    Mutator mutator(*heap);
    live = Array<Member<Link>>::Make(mutator, kLiveObjects / kChain);
    for (uint64_t i = 0; i < kLiveObjects; ++i) {
      Member<Link>& head = (*live)[i / kChain];
      head = MakeGarbageCollected<Link>(mutator, head.Get());
    }
  }
  CounterDelta delta(*heap);
  double seconds = 0;
  for (auto _ : state) {
    const double took = OnThreads(threads, [&](auto&& start) {
      Mutator mutator(*heap);
      {
        BlockingScope blocked(mutator);
        start();
      }
      if (leaf) {
        for (uint64_t i = 0; i < kObjects; ++i) {
          benchmark::DoNotOptimize(MakeGarbageCollected<Leaf>(mutator));
        }
      } else {
        Link* tail = nullptr;
        for (uint64_t i = 0; i < kObjects; ++i) {
          tail = MakeGarbageCollected<Link>(mutator, i % kChain == 0 ? nullptr : tail);
        }
        benchmark::DoNotOptimize(tail);
      }
    });
    state.SetIterationTime(took);
    seconds += took;
  }
  delta.Stop();
  state.counters["ns_each"] =
      seconds * 1e9 / (static_cast<double>(kObjects) * static_cast<double>(state.iterations()));
  state.counters["cycles"] = delta["gc.cycles"] / static_cast<double>(state.iterations());
  state.counters["stalls"] = delta["gc.stall.count"] / static_cast<double>(state.iterations());
  state.counters["stall_max_ms"] = static_cast<double>(heap->Counters()["gc.stall.max_ns"]) / 1e6;
}

void Boehm(benchmark::State& state) {
  const auto threads = static_cast<int>(state.range(0));
  const bool leaf = state.range(1) != 0;
  [[maybe_unused]] static const bool initialised = [] {
    GC_INIT();
    GC_allow_register_threads();
    GC_set_max_heap_size(kHeapBytes);
    GC_expand_hp(kHeapBytes - GC_get_heap_size() - kMiB);
    return true;
  }();
  static RawLink** live = nullptr;  // a root: libgc scans static data
  live = static_cast<RawLink**>(GC_malloc(kLiveObjects / kChain * sizeof(RawLink*)));
  for (uint64_t i = 0; i < kLiveObjects; ++i) {
    auto* link = static_cast<RawLink*>(GC_malloc(sizeof(RawLink)));
    link->next = live[i / kChain];
    live[i / kChain] = link;
  }
  const auto collections = GC_get_gc_no();
  double seconds = 0;
  for (auto _ : state) {
    const double took = OnThreads(threads, [&](auto&& start) {
      GC_stack_base stack;
      GC_get_stack_base(&stack);
      GC_register_my_thread(&stack);
      start();
      if (leaf) {
        for (uint64_t i = 0; i < kObjects; ++i) {
          auto* object = static_cast<uint64_t*>(GC_malloc_atomic(24));
          object[0] = 1;
          benchmark::DoNotOptimize(object);
        }
      } else {
        RawLink* tail = nullptr;
        for (uint64_t i = 0; i < kObjects; ++i) {
          auto* link = static_cast<RawLink*>(GC_malloc(sizeof(RawLink)));
          link->next = i % kChain == 0 ? nullptr : tail;
          link->first = 1;
          tail = link;
        }
        benchmark::DoNotOptimize(tail);
      }
      GC_unregister_my_thread();
    });
    state.SetIterationTime(took);
    seconds += took;
  }
  state.counters["ns_each"] =
      seconds * 1e9 / (static_cast<double>(kObjects) * static_cast<double>(state.iterations()));
  state.counters["cycles"] =
      static_cast<double>(GC_get_gc_no() - collections) / static_cast<double>(state.iterations());
  state.counters["heap_mib"] = static_cast<double>(GC_get_heap_size()) / kMiB;
}

void Configure(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgNames({"threads", "leaf"})
      ->ArgsProduct({{1, 2}, {1, 0}})
      ->UseManualTime()
      ->Unit(benchmark::kMillisecond)
      ->Iterations(3);
}
BENCHMARK(Tandem)->Apply(Configure);
BENCHMARK(Boehm)->Apply(Configure);

}  // namespace
}  // namespace tandem::bench
