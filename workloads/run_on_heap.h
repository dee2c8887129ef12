// RunOnHeap: executes a prepared workload once, on a heap made for it.
//
// The calling thread becomes the workload's main mutator for the while. The heap is gone when
// the call returns. Any thread, one call a workload at a time.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "tandem/heap.h"
#include "tandem/status.h"
#include "workloads/memory_series.h"
#include "workloads/workload.h"

namespace tandem::workloads {

struct RunResult {
  std::string checksum;
  std::map<std::string, double> seconds;     // by phase; `build` and `measured` are always there
  std::map<std::string, uint64_t> counters;  // the heap's and the workload's
  HeapMemory memory;
  std::vector<MemorySample> series;  // of the whole run, building included
};

StatusOr<RunResult> RunOnHeap(Workload& workload, const HeapOptions& options, Progress& progress);

}  // namespace tandem::workloads
