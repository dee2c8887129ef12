// RunReport: the outcome of `tandem run`, and how it is shown: for people, or as the JSON object
// of docs/command.md. A value; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "tools/footprint_cache.h"
#include "tools/run_request.h"
#include "workloads/run_on_heap.h"

namespace tandem::tools {

struct RunReport {
  const RunRequest& request;
  uint64_t heap_bytes;
  workloads::RunResult result;
  double prepare_seconds;
  std::optional<Baseline> baseline;  // the all-local run, if there is one to compare with

  // False only if there is a baseline, and the answers differ.
  bool IsRight() const { return !baseline || baseline->checksum == result.checksum; }

  std::string ForPeople() const;
  std::string Json() const;
};

}  // namespace tandem::tools
