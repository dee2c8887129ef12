// What an access to a far page costs, with local memory full and eviction keeping up with it.
//
// A heap of 256 MiB, a quarter local, one object a page; a chase goes round all of them in random
// order, so that with CLOCK nearly every step is a miss. `barrier`: through Member::Get. `trap`:
// through bare loads, so that each miss is a SIGBUS. `us_a_miss` is the whole time over the
// number of fetches, eviction included where it holds the chase up. `dirty`:
// each object is written as well, so that each eviction is a write-back. `move`: 0 forces the
// road without UFFDIO_MOVE. `rdma40` less `none` is what the emulated wire adds (3.9 us).
// `threads` of the application chase each other; with two, each page that is unmapped interrupts
// the other's processor (runtime/swap/mapper.h), and us_a_miss is what a thread sees. Limit,
// estimated from paging.md: a trap 1-2 us, mapping a page 1.3 us, copy and hash below 1 us.
// Targets, fabric none: barrier at most 5 us, trap at most 10 us.
#include <benchmark/benchmark.h>

#include <cstring>
#include <thread>
#include <vector>

#include "bench/bench_heap.h"
#include "runtime/base/clock.h"
#include "tandem/tandem.hpp"
#include "workloads/random.h"

namespace tandem::bench {
namespace {

// With its header a page of its own: the heap aligns objects of this size to pages.
struct Page : GarbageCollected<Page> {
  void Trace(Visitor* visitor) const { visitor->Trace(next); }
  Member<Page> next;
  uint64_t value = 1;
  uint64_t rest[509]{};
};

constexpr uint64_t kHeapBytes = 256 * kMiB;
constexpr uint32_t kPages = kHeapBytes / 4096;
constexpr int64_t kSteps = 75'000;

template <bool kTrap, bool kDirty>
Page* Chase(Page* page, int64_t steps) {
  for (int64_t i = 0; i < steps; ++i) {
    Page* next;
    if constexpr (kTrap) {
      std::memcpy(static_cast<void*>(&next), &page->next, sizeof(next));
    } else {
      next = page->next.Get();
    }
    page = next;
    if constexpr (kDirty) ++page->value;
  }
  return page;
}

void Miss(benchmark::State& state, const char* fabric, bool trap, int64_t threads) {
  const auto heap = OpenHeap({.heap_bytes = kHeapBytes + 16 * kMiB,
                              .local_bytes = kHeapBytes / 4,
                              .fabric = fabric,
                              .automatic = false,
                              .use_move = state.range(0) != 0});
  const bool dirty = state.range(1) != 0;
  Mutator mutator(*heap);
  std::vector<Page*> pages(kPages);
  for (Page*& page : pages) page = MakeGarbageCollected<Page>(mutator);
  const std::vector<uint32_t> successor = workloads::RandomCycle(kPages, 1);
  for (uint32_t i = 0; i < kPages; ++i) pages[i]->next = pages[successor[i]];
  // Where each thread begins: as far from each other as can be.
  std::vector<Page*> at(threads);
  Page* page = pages[0];
  for (Page*& start : at) {
    start = page;
    page = Chase<false, false>(page, kPages / threads);
  }

  const auto chase = trap ? (dirty ? Chase<true, true> : Chase<true, false>)
                          : (dirty ? Chase<false, true> : Chase<false, false>);
  CounterDelta delta(*heap);
  double seconds = 0;
  for (auto _ : state) {
    const uint64_t start = base::NowNs();
    std::vector<std::thread> others;
    for (int64_t i = 1; i < threads; ++i) {
      others.emplace_back([&heap, &chase, &start_at = at[i]] {
        Mutator other(*heap);
        start_at = chase(start_at, kSteps);
      });
    }
    at[0] = chase(at[0], kSteps);
    {
      BlockingScope blocked(mutator);
      for (std::thread& other : others) other.join();
    }
    const double took = static_cast<double>(base::NowNs() - start) * 1e-9;
    state.SetIterationTime(took);
    seconds += took;
  }
  delta.Stop();
  benchmark::DoNotOptimize(at.data());
  const double misses = delta["fetch.demand.mutator"];
  state.counters["us_a_miss"] = seconds * 1e6 * static_cast<double>(threads) / misses;
  state.counters["missed"] = misses / static_cast<double>(state.iterations() * kSteps * threads);
  state.counters["copied"] = delta["fetch.copied"] / misses;
  state.counters["traps"] = delta["fetch.traps"] / misses;
  state.counters["written"] = delta["evict.writeback"] / misses;
  state.counters["by_mutator"] = delta["evict.batches_by_mutator"];
  state.counters["frame_waits"] = delta["evict.frame_wait.count"];
  state.counters["fetch_p50_us"] =
      static_cast<double>(heap->Counters()["fetch.latency.p50_ns"]) / 1e3;
  state.counters["fetch_p99_us"] =
      static_cast<double>(heap->Counters()["fetch.latency.p99_ns"]) / 1e3;
}

void Configure(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgNames({"move", "dirty"})
      ->ArgsProduct({{1, 0}, {0, 1}})
      ->UseManualTime()
      ->Unit(benchmark::kMillisecond)
      ->Iterations(1);
}
BENCHMARK_CAPTURE(Miss, barrier_none, "emulated:none", false, 1)->Apply(Configure);
BENCHMARK_CAPTURE(Miss, trap_none, "emulated:none", true, 1)->Apply(Configure);
BENCHMARK_CAPTURE(Miss, barrier_rdma40, "emulated:rdma40", false, 1)->Apply(Configure);
BENCHMARK_CAPTURE(Miss, trap_rdma40, "emulated:rdma40", true, 1)->Apply(Configure);
BENCHMARK_CAPTURE(Miss, barrier_none_2_threads, "emulated:none", false, 2)->Apply(Configure);
BENCHMARK_CAPTURE(Miss, barrier_rdma40_2_threads, "emulated:rdma40", false, 2)->Apply(Configure);

}  // namespace
}  // namespace tandem::bench
