#include "workloads/run_on_heap.h"

#include <memory>
#include <utility>

namespace tandem::workloads {

StatusOr<RunResult> RunOnHeap(Workload& workload, const HeapOptions& options, Progress& progress) {
  StatusOr<std::unique_ptr<Heap>> heap = Heap::Create(options);
  if (!heap.ok()) return heap.status();
  RunResult result;
  MemorySampler sampler(**heap);
  {
    Mutator mutator(**heap);
    Session session(mutator, progress);
    StatusOr<std::string> checksum = workload.Execute(session);
    if (!checksum.ok()) return checksum.status();
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
