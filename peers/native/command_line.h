// The command line of a peer: that of `tandem run`, as far as it makes sense. Main thread.
#pragma once

#include <memory>
#include <string>
#include <variant>

#include "tandem/heap.h"
#include "tandem/status.h"
#include "workloads/workload.h"

namespace tandem::peers {

struct ShowRequest {
  std::string text;  // help, version or list
};
struct RunRequest {
  std::unique_ptr<workloads::Workload> workload;  // its options are set
  std::string scale = "default";
  HeapOptions heap{.heap_bytes = 0, .incremental = false};  // 0 bytes: twice what lives at once
  bool json = false;
};
using Request = std::variant<ShowRequest, RunRequest>;

// The error is one line that says what is valid.
StatusOr<Request> ParseCommandLine(int argc, char** argv);

}  // namespace tandem::peers
