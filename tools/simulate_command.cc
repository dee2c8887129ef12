#include "tools/simulate_command.h"

#include <fmt/format.h>

#include <iterator>
#include <nlohmann/json.hpp>
#include <utility>

#include "tools/progress_bar.h"
#include "tools/provenance.h"
#include "tools/terminal.h"
#include "workloads/bytes.h"

namespace tandem::tools {

namespace {

using nlohmann::json;
using sim::SimulationOptions;
using sim::SimulationResult;
using workloads::FormatBytes;

StatusOr<SimulationResult> Simulate(const std::string& source, const SimulationOptions& options) {
  auto events = sim::OpenSource(source);
  if (!events.ok()) return events.status();
  workloads::Progress progress;
  ProgressBar bar("simulate", progress);
  progress.Begin("events", 0);
  uint64_t shown = 0;
  return sim::Simulate(options, **events, [&](uint64_t count) {
    progress.Advance(count - std::exchange(shown, count));
  });
}

std::string Json(const SimulateRequest& request, const SimulationResult& result) {
  const SimulationOptions& options = request.options;
  json provenance = DescribeProvenance();
  provenance["cores"] = CpuCount();
  provenance["fabric"] = options.fabric;
  const json object = {{"source", request.source},
                       {"events", result.events},
                       {"virtual_ns", result.virtual_ns},
                       {"counters", result.counters},
                       {"memory",
                        {{"footprint_bytes", result.footprint_bytes},
                         {"local_limit_bytes", result.local_limit_bytes},
                         {"local_peak_bytes", result.local_peak_bytes}}},
                       {"options",
                        {{"local", request.local.text()},
                         {"order", options.order},
                         {"prefetcher", options.prefetcher},
                         {"replacement", options.replacement},
                         {"fabric", options.fabric},
                         {"access-ns", options.costs.access_ns},
                         {"alloc-ns", options.costs.alloc_ns},
                         {"mark-ns", options.costs.mark_ns},
                         {"fetch-ns", options.costs.fetch_ns}}},
                       {"provenance", std::move(provenance)}};
  return object.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

std::string ForPeople(const SimulateRequest& request, const SimulationResult& result) {
  const auto counter = [&](const char* name) { return result.counters.at(name); };
  std::string text = fmt::format("{}: simulated, {} events\n", request.source, result.events);
  const auto line = [&text](const char* label, const std::string& value) {
    fmt::format_to(std::back_inserter(text), "  {:<15} {}\n", label, value);
  };
  line("local memory", fmt::format("{}; footprint {}", FormatBytes(result.local_limit_bytes),
                                   FormatBytes(result.footprint_bytes)));
  line("fabric", request.options.fabric);
  line("virtual time", fmt::format("{:.6f} s", static_cast<double>(result.virtual_ns) / 1e9));
  line("demand fetches",
       fmt::format("{} by the application, {} by the collector", counter("fetch.demand.mutator"),
                   counter("fetch.demand.collector")));
  line("prefetches", fmt::format("{} by {}, of which {} were used", counter("fetch.prefetch"),
                                 request.options.prefetcher, counter("prefetch.hits")));
  line("tracer's reads", fmt::format("{} for itself, {} for the application",
                                     counter("fetch.trace"), counter("fetch.lookahead")));
  line("write-backs", fmt::format("{}", counter("evict.writeback")));
  const uint64_t cycles = counter("gc.cycles");
  line("collector",
       fmt::format("{}, {} cycles of {:.3f} ms, {} objects marked", request.options.order, cycles,
                   cycles == 0 ? 0.0
                               : static_cast<double>(counter("gc.cycle.sum_ns")) / 1e6 /
                                     static_cast<double>(cycles),
                   counter("gc.objects_marked")));
  return text;
}

}  // namespace

Status RunSimulation(SimulateRequest request) {
  if (Status status = sim::CheckSimulation(request.options); !status.ok()) return status;
  // Found out before the work that the name alone does not tell.
  if (auto events = sim::OpenSource(request.source); !events.ok()) return events.status();

  uint64_t footprint = 0;
  if (request.local.NeedsFootprint()) {
    SimulationOptions all_local;
    all_local.fabric = "emulated:none";
    StatusOr<SimulationResult> result = Simulate(request.source, all_local);
    if (!result.ok()) return result.status();
    footprint = result->footprint_bytes;
  }
  StatusOr<uint64_t> local = request.local.Resolve(footprint);
  if (!local.ok()) return local.status();
  request.options.local_bytes = request.local.IsAll() ? UINT64_MAX : *local;
  StatusOr<SimulationResult> result = Simulate(request.source, request.options);
  if (!result.ok()) return result.status();
  StatusOr<std::string> fabric = sim::FabricName(request.options.fabric);
  if (!fabric.ok()) return fabric.status();
  request.options.fabric = *fabric;
  return WriteOutput(request.json ? Json(request, *result) : ForPeople(request, *result));
}

}  // namespace tandem::tools
