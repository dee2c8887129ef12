// RunJob: runs a MapReduce job on the heap of a session, and returns what its reducers put out.
//
//   splits -> map -> runs by partition, sorted -> merge -> groups -> reduce -> outputs, sorted
//
// The calling thread is the master: it gives tasks to workers through a WorkerLink and looks at no
// record itself. The result depends on the job alone: not on threads, nor on who did what first.
#pragma once

#include <string>
#include <vector>

#include "workloads/mapreduce/job.h"
#include "workloads/mapreduce/worker_link.h"
#include "workloads/session.h"

namespace tandem::workloads::mapreduce {

struct JobResult {
  explicit JobResult(Heap& heap) : outputs(heap) {}

  // By partition; each in the order of its keys, as far as reduce put them out in order. The
  // partitions' own order is that of their numbers.
  Persistent<Runs> outputs;

  // The user's; and map.records, map.pairs (emitted), map.runs, map.skipped, combine.failures,
  // reduce.keys, reduce.merge_passes, reduce.skipped, failed_calls, as far as there were any.
  Counters counters;

  // Ordered by kind, task and place in it.
  std::vector<Skipped> skipped;
};

// Status: the heap is full, no thread can be started, or the job makes no sense.
StatusOr<JobResult> RunJob(Session& session, const Job& job, uint64_t threads);

// A line for each skipped record or key, as it is shown to people.
std::string Describe(const Skipped& skipped);

// Calls each(key, value) for all pairs of the result, partition by partition.
template <typename T, typename Each>
void ForEachOutput(Mutator& mutator, const JobResult& result, const Each& each) {
  Runs& outputs = *result.outputs;
  for (size_t p = 0; p < outputs.length(); ++p) {
    Pairs& pairs = *outputs[p]->pairs;
    for (size_t i = 0; i < pairs.length(); ++i) {
      Pair* pair = pairs[i];
      each(pair->key.Get(), As<T>(pair->value));
      if (i % 1024 == 0) mutator.Safepoint();
    }
  }
}

}  // namespace tandem::workloads::mapreduce
