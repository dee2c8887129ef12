#include "workloads/run_on_heap.h"

#include <memory>
#include <string>
#include <utility>

namespace tandem::workloads {

namespace {

// A larger heap would not have helped where the far side lends no more.
Status WhyItEnded(const Status& status, const std::string& growth_trouble) {
  if (status.code() != StatusCode::kResourceExhausted || growth_trouble.empty()) return status;
  return Status::Unavailable(status.message() + ": the heap cannot grow: " + growth_trouble);
}

}  // namespace

StatusOr<RunResult> RunOnHeap(Workload& workload, const HeapOptions& options, Progress& progress) {
  StatusOr<std::unique_ptr<Heap>> heap = Heap::Create(options);
  if (!heap.ok()) return heap.status();
  RunResult result;
  MemorySampler sampler(**heap);
  {
    Mutator mutator(**heap);
    Session session(mutator, progress);
    StatusOr<std::string> checksum = workload.Execute(session);
    if (!checksum.ok()) return WhyItEnded(checksum.status(), (*heap)->GrowthTrouble());
    result.checksum = std::move(*checksum);
    result.seconds = session.seconds();
    result.counters = std::move(session.counters());
  }
  result.series = sampler.Stop();
  result.seconds.try_emplace("build", 0);
  result.seconds.try_emplace("measured", 0);
  result.counters.merge((*heap)->Counters());
  result.memory = (*heap)->Memory();
  return result;
}

}  // namespace tandem::workloads
