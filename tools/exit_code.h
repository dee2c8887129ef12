// What `tandem` exits with: part of its stable interface (docs/command.md).
#pragma once

#include "tandem/status.h"

namespace tandem::tools {

inline constexpr int kExitOk = 0;
inline constexpr int kExitFailed = 1;    // the run could not be done, or its answer is wrong
inline constexpr int kExitUsage = 2;     // what was asked for makes no sense
inline constexpr int kExitSignal = 128;  // plus the signal's number

inline int ExitCodeOf(const Status& status) {
  if (status.ok()) return kExitOk;
  return status.code() == StatusCode::kInvalidArgument ? kExitUsage : kExitFailed;
}

}  // namespace tandem::tools
