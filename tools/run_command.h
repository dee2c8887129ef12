// `tandem run`: prepares a workload, runs it, and compares it with its all-local run. Main
// thread.
#pragma once

#include "tandem/status.h"
#include "tools/run_request.h"

namespace tandem::tools {

// Prints the result to standard output. A result that differs from the all-local run's is
// printed too, and is an error.
Status RunWorkload(RunRequest request);

}  // namespace tandem::tools
