// `tandem simulate`: replays a recording, or synthetic events, on a heap on paper. Main thread.
#pragma once

#include "tandem/status.h"
#include "tools/simulate_request.h"

namespace tandem::tools {

// Prints the result to standard output.
Status RunSimulation(SimulateRequest request);

}  // namespace tandem::tools
