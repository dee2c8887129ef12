// OutputFile: where a workload writes its result, if anywhere; the target of an option.
//
// One thread.
#pragma once

#include <string>
#include <string_view>

#include "tandem/status.h"

namespace tandem::workloads {

struct OutputFile {
  std::string path;  // empty: nowhere

  // Says before the work if its result could not be written. Creates the file.
  Status Check() const;

  // Replaces what is in the file.
  Status Write(std::string_view content) const;
};

}  // namespace tandem::workloads
