// `tandem fit-fabric`. Main thread.
#pragma once

#include <cstdint>
#include <string>

#include "tandem/status.h"

namespace tandem::tools {

struct FitRequest {
  std::string url;
  std::string save;  // the preset's name; empty: it is only told
  uint64_t time_ms = 20;
  bool json = false;
};

// Measures a fabric, fits the emulator to it, and measures the emulator with what was fitted.
Status FitFabric(const FitRequest& request);

}  // namespace tandem::tools
