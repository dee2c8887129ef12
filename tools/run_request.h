// RunRequest: everything that `tandem run` was asked for. A value, moved from the parser to the
// command.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "tandem/heap.h"
#include "tools/local_size.h"
#include "workloads/workload.h"

namespace tandem::tools {

struct RunRequest {
  std::unique_ptr<workloads::Workload> workload;  // its options are set
  std::string scale = "default";
  LocalSize local = LocalSize::Parse("25%").value();
  uint64_t heap_bytes = 0;  // 0: twice what the workload keeps alive
  uint64_t tracers = 1;
  std::string order = HeapOptions().order;
  std::string fabric = HeapOptions().fabric;
  std::string prefetcher = HeapOptions().prefetcher;
  std::string replacement = HeapOptions().replacement;
  bool use_move = true;
  bool only_when_full = false;  // no cycle starts earlier
  bool json = false;
  std::string trace;   // the file to write; empty: no timeline is recorded
  std::string record;  // the file to write; empty: accesses are not recorded
};

}  // namespace tandem::tools
