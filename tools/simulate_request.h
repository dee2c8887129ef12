// SimulateRequest: everything that `tandem simulate` was asked for. A value.
#pragma once

#include <string>

#include "sim/simulation.h"
#include "tools/local_size.h"

namespace tandem::tools {

struct SimulateRequest {
  std::string source;  // a recording's file, or synthetic:...
  LocalSize local = LocalSize::Parse("25%").value();
  sim::SimulationOptions options;
  bool json = false;
};

}  // namespace tandem::tools
