// Simulation: a heap on paper, driven by events, under any order, prefetcher and replacement
// policy.
//
// The policies are those of the runtime; the pager, the collector and the application around them
// are models (virtual_pager.h, virtual_collector.h, replayer.h) that share the runtime's counters
// by name. Time is virtual: the application and the tracer have a clock each, and whoever's is
// behind goes on. One thread, no clock of the machine, no chance: the same input has the same
// outcome, to the count.
//
// Ends with the application; a cycle that runs then is not counted.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "runtime/record/event.h"
#include "sim/costs.h"
#include "tandem/status.h"

namespace tandem::sim {

struct SimulationOptions {
  // Names with options behind them, as HeapOptions has them.
  std::string order = "lineup";
  std::string prefetcher = "none";
  std::string replacement = "clock";
  std::string fabric = "emulated:rdma40";  // of an emulated one, what concerns time
  uint64_t local_bytes = UINT64_MAX;       // all is local
  Costs costs = {};
};

struct SimulationResult {
  std::map<std::string, uint64_t> counters;  // docs/metrics.md
  uint64_t events = 0;
  uint64_t virtual_ns = 0;  // of the application, from its first event to its last
  uint64_t footprint_bytes = 0;
  uint64_t local_limit_bytes = 0;
  uint64_t local_peak_bytes = 0;
};

// `progress` is told now and then how many events there have been.
StatusOr<SimulationResult> Simulate(const SimulationOptions& options, record::EventSource& source,
                                    const std::function<void(uint64_t)>& progress = {});

// Whether the names are known and the fabric is one that can be simulated.
Status CheckSimulation(const SimulationOptions& options);

// The fabric's full name, values included.
StatusOr<std::string> FabricName(const std::string& fabric);

// Opens a recording, or synthetic events.
StatusOr<std::unique_ptr<record::EventSource>> OpenSource(const std::string& name);

}  // namespace tandem::sim
