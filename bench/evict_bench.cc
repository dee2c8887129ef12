// What it costs to make a page far, and how fast a far heap can be read in order.
//
// Evict: the evictor alone, on this thread, over the parts of a pager: choose victims, unmap them
// into staging, hash them, write the dirty ones over fabric `none`. 64 MiB of pages are local; in
// each iteration 1024 leave (timed) and come back (not timed), so each page has gone cold before
// it leaves. `seq`: pages are neighbours; else every other one, so that each run is of one page.
// `dirty`: each is written. `move`: 0 forces the road without UFFDIO_MOVE.
// Limit, estimated from paging.md: unmapping 0.1-0.25 us in runs, 1.3-2 us one by one, and a pass
// over a cold page to hash it (one more to copy it if dirty).
// Target: ns_a_page at most 1500 with batch 32 and more.
//
// Read: a char array of 256 MiB, a quarter local, read from end to end, Mutator::FetchRange
// before each window of `KiB`. Limit: the link's bandwidth (rdma40: 4.5 GB/s); with `none`, two
// copies, a hash and the reading itself. Target: rdma40 at least 2.25 GB/s.
#include <benchmark/benchmark.h>

#include <memory>
#include <numeric>
#include <vector>

#include "bench/bench_heap.h"
#include "rdma/fabric.h"
#include "runtime/base/clock.h"
#include "runtime/swap/clock_replacement.h"
#include "runtime/swap/evictor.h"
#include "runtime/swap/page_hash.h"
#include "tandem/array.h"
#include "tandem/tandem.hpp"

namespace tandem::bench {
namespace {

using swap::PageIndex;

// The parts of a pager, with this program in the place of the threads that fetch.
class EvictionRig {
 public:
  static constexpr size_t kLocalPages = 16384;
  static constexpr size_t kRound = 1024;

  EvictionRig(bool move, bool dirty, bool sequential, size_t batch)
      : move_(move), dirty_(dirty), stride_(sequential ? 1 : 2) {
    const size_t pages = kLocalPages * stride_;
    memory_ = base::OsMemory::Reserve(pages * base::kPageSize, swap::PageTable::kAlignment,
                                      "the benchmark")
                  .value();
    madvise(memory_.data(), memory_.size(), MADV_NOHUGEPAGE);
    Check(uffd_.Register(memory_.address(), memory_.size(), uffd_.has_write_protect()));
    table_ = std::move(swap::PageTable::Create(memory_.address(), pages).value());
    table_->Extend(pages);
    staging_ = std::move(swap::Staging::Create(uffd_, move).value());
    mapper_ =
        std::make_unique<swap::Mapper>(uffd_, *staging_, roads_, metrics_.moved, metrics_.copied);
    unmapper_ = std::make_unique<swap::Unmapper>(*table_, *staging_, uffd_, roads_);
    Check(fabric_->RegisterBuffer(staging_->memory().data(), staging_->memory().size()));
    slabs_ = std::make_unique<rdma::SlabMap>(*fabric_, pages);
    Check(slabs_->Grow(pages));
    // The budget is never short, so the evictor's own thread does nothing.
    budget_ = std::make_unique<swap::Budget>(4 * pages);
    for (size_t i = 0; i < kLocalPages; ++i) Fill(i * stride_);
    arrivals_ =
        std::make_unique<swap::Arrivals>(swap::ArrivalsParts{.table = *table_,
                                                             .staging = *staging_,
                                                             .mapper = *mapper_,
                                                             .budget = *budget_,
                                                             .slabs = *slabs_,
                                                             .metrics = metrics_,
                                                             .reserve = 0,
                                                             .timeout_ns = fabric_->TimeoutNs()},
                                         std::move(fabric_->OpenChannel().value()));
    evictor_ = std::make_unique<swap::Evictor>(
        swap::EvictorParts{.table = *table_,
                           .staging = *staging_,
                           .unmapper = *unmapper_,
                           .budget = *budget_,
                           .footprint = footprint_,
                           .slabs = *slabs_,
                           .arrivals = *arrivals_,
                           .metrics = metrics_,
                           .timeout_ns = fabric_->TimeoutNs(),
                           .batch = batch},
        std::move(fabric_->OpenChannel().value()), std::make_unique<swap::ClockReplacement>());
    // Once around, so that frames of the far side and staging are there.
    for (size_t i = 0; i < kLocalPages / kRound; ++i) {
      EvictRound();
      BringBack();
    }
  }

  // Returns how many pages left.
  size_t EvictRound() {
    const uint64_t before = metrics_.evicted.Value();
    size_t gone = 0;
    while (gone < kRound) {
      evictor_->TryEvict();
      gone = metrics_.evicted.Value() - before;
    }
    return gone;
  }

  void BringBack() {
    for (PageIndex page = 0; page < table_->used(); page += stride_) {
      while (swap::Residency(table_->state(page).load()) == swap::kWriting) evictor_->TryEvict();
      if (swap::Residency(table_->state(page).load()) != swap::kFar) continue;
      const swap::SlotRun slot = staging_->TakeReady(1);
      WriteContent(staging_->Data(slot.first), page);
      mapper_->Map(table_->AddressOf(page), slot);
      BecomeLocal(page);
    }
  }

  const swap::PagerMetrics& metrics() const { return metrics_; }

 private:
  static void Check(const Status& status) {
    if (status.ok()) return;
    std::fprintf(stderr, "%s\n", status.message().c_str());
    std::exit(1);
  }

  static void WriteContent(void* to, PageIndex page) {
    auto* words = static_cast<uint64_t*>(to);
    for (size_t i = 0; i < base::kPageSize / 8; ++i) words[i] = page * 4096 + i + 1;
  }

  void Fill(PageIndex page) {
    alignas(base::kPageSize) static std::byte content[base::kPageSize];
    WriteContent(content, page);
    clean_hash_.resize(table_->used());
    clean_hash_[page] = swap::HashPage(content);
    uffd_.Copy(table_->AddressOf(page), content, base::kPageSize);
    BecomeLocal(page);
  }

  void BecomeLocal(PageIndex page) {
    (void)budget_->TryTake(1);
    table_->hash(page).store(dirty_ ? swap::kNoFarCopy : clean_hash_[page]);
    table_->state(page).store(swap::kLocal);
  }

  const bool move_;
  swap::RoadChoice roads_{move_};
  const bool dirty_;
  const size_t stride_;
  std::unique_ptr<rdma::Fabric> fabric_ = std::move(rdma::Fabric::Open("emulated:none").value());
  base::Registry registry_;
  swap::PagerMetrics metrics_{registry_};
  swap::Footprint footprint_;
  base::OsMemory memory_;
  swap::Userfault uffd_{std::move(swap::Userfault::Open(move_).value())};
  std::unique_ptr<swap::PageTable> table_;
  std::unique_ptr<swap::Staging> staging_;
  std::unique_ptr<swap::Mapper> mapper_;
  std::unique_ptr<swap::Unmapper> unmapper_;
  std::unique_ptr<rdma::SlabMap> slabs_;
  std::unique_ptr<swap::Budget> budget_;
  std::vector<uint64_t> clean_hash_;
  std::unique_ptr<swap::Arrivals> arrivals_;
  std::unique_ptr<swap::Evictor> evictor_;
};

void Evict(benchmark::State& state) {
  EvictionRig rig(state.range(1) != 0, state.range(2) != 0, state.range(3) != 0,
                  static_cast<size_t>(state.range(0)));
  uint64_t pages = 0;
  uint64_t ns = 0;
  const uint64_t written_before = rig.metrics().write_backs.Value();
  for (auto _ : state) {
    const uint64_t start = base::NowNs();
    pages += rig.EvictRound();
    const uint64_t took = base::NowNs() - start;
    ns += took;
    state.SetIterationTime(static_cast<double>(took) * 1e-9);
    rig.BringBack();
  }
  state.counters["ns_a_page"] = static_cast<double>(ns) / static_cast<double>(pages);
  state.counters["written"] =
      static_cast<double>(rig.metrics().write_backs.Value() - written_before) /
      static_cast<double>(pages);
}
BENCHMARK(Evict)
    ->ArgNames({"batch", "move", "dirty", "seq"})
    ->ArgsProduct({{64}, {1, 0}, {0, 1}, {1, 0}})
    ->ArgsProduct({{1, 8, 32}, {1}, {1}, {1, 0}})
    ->UseManualTime()
    ->Unit(benchmark::kMicrosecond)
    ->Iterations(300);

// Arguments: KiB a window; use_move; 1: the application reads every byte, 0: a word a page.
void Read(benchmark::State& state, const char* fabric) {
  constexpr size_t kBytes = 256 * kMiB;
  const auto heap = OpenHeap({.heap_bytes = kBytes + 16 * kMiB,
                              .local_bytes = kBytes / 4,
                              .fabric = fabric,
                              .automatic = false,
                              .use_move = state.range(1) != 0});
  Mutator mutator(*heap);
  auto* array = Array<uint64_t>::Make(mutator, kBytes / 8);
  const size_t window = static_cast<size_t>(state.range(0)) * 1024 / 8;
  const size_t step = state.range(2) != 0 ? 1 : 512;
  uint64_t* const words = array->data();
  for (size_t i = 0; i < kBytes / 8; ++i) words[i] = i + 1;
  const auto read_all = [&] {
    uint64_t sum = 0;
    for (size_t at = 0; at < kBytes / 8; at += window) {
      mutator.FetchRange(words + at, window * 8);
      if (step == 1) {
        sum = std::accumulate(words + at, words + at + window, sum);
      } else {
        for (size_t i = at; i < at + window; i += step) sum += words[i];
      }
    }
    return sum;
  };
  benchmark::DoNotOptimize(read_all());
  CounterDelta delta(*heap);
  for (auto _ : state) benchmark::DoNotOptimize(read_all());
  delta.Stop();
  state.SetBytesProcessed(static_cast<int64_t>(kBytes) * state.iterations());
  state.counters["fetched"] =
      delta["fetch.demand.mutator"] * 4096 /
      (static_cast<double>(kBytes) * static_cast<double>(state.iterations()));
  state.counters["traps"] = delta["fetch.traps"];
  state.counters["by_mutator"] = delta["evict.batches_by_mutator"];
  state.counters["frame_waits"] = delta["evict.frame_wait.count"];
}
void ConfigureRead(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgNames({"KiB", "move", "all"})
      ->ArgsProduct({{64, 256, 1024}, {1}, {1}})
      ->Args({256, 1, 0})
      ->Args({256, 0, 1})
      ->UseRealTime()
      ->Unit(benchmark::kMillisecond)
      ->Iterations(3);
}
BENCHMARK_CAPTURE(Read, rdma40, "emulated:rdma40")->Apply(ConfigureRead);
BENCHMARK_CAPTURE(Read, none, "emulated:none")->Apply(ConfigureRead);

}  // namespace
}  // namespace tandem::bench
