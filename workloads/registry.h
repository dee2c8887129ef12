// The workloads there are. Any thread.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "workloads/workload.h"

namespace tandem::workloads {

// One fresh instance of each, in the order of the list in registry.cc.
std::vector<std::unique_ptr<Workload>> MakeAllWorkloads();

// Null if there is none of that name.
std::unique_ptr<Workload> MakeWorkload(std::string_view name);

}  // namespace tandem::workloads
