#include "sim/simulation.h"

#include <algorithm>
#include <memory>

#include "rdma/emulated_fabric.h"
#include "runtime/prefetch/prefetcher.h"
#include "runtime/prefetch/throttle.h"
#include "runtime/record/reader.h"
#include "sim/object_graph.h"
#include "sim/replayer.h"
#include "sim/synthetic.h"
#include "sim/virtual_collector.h"
#include "sim/virtual_pager.h"

namespace tandem::sim {
namespace {

// As heap.cc.
constexpr size_t kUnusedShare = 8;
constexpr size_t kMinUnused = 8;
constexpr uint64_t kProgressEvery = 1 << 16;

StatusOr<rdma::EmulatedOptions> ParseFabric(const std::string& name) {
  constexpr std::string_view kEmulated = "emulated";
  std::string_view rest = name;
  const bool known = rest.starts_with(kEmulated) &&
                     (rest.size() == kEmulated.size() || rest[kEmulated.size()] == ':');
  if (!known) {
    return Status::InvalidArgument("the simulator knows emulated fabrics only, not '" +
                                   rdma::OneLine(name) + "'; valid is " +
                                   rdma::EmulatedOptions::kSyntax);
  }
  rest.remove_prefix(std::min(rest.size(), kEmulated.size() + 1));
  auto options = rdma::EmulatedOptions::Parse(rest);
  if (!options.ok()) return options;
  if (options->loss != 0 || options->delay != 0 || options->damage != 0 ||
      options->die_after != rdma::EmulatedOptions::kNever) {
    return Status::InvalidArgument(
        "the simulator injects no faults: loss, delay, damage and die_after are not valid");
  }
  return options;
}

}  // namespace

StatusOr<std::string> FabricName(const std::string& fabric) {
  auto options = ParseFabric(fabric);
  if (!options.ok()) return options.status();
  return options->Name();
}

Status CheckSimulation(const SimulationOptions& options) {
  class NoEvents final : public record::EventSource {
   public:
    uint64_t heap_bytes() const override { return 1 << 20; }
    StatusOr<bool> Next(record::Event&) override { return false; }
  };
  NoEvents nothing;
  SimulationOptions all_local = options;
  all_local.local_bytes = UINT64_MAX;
  return Simulate(all_local, nothing).status();
}

StatusOr<std::unique_ptr<record::EventSource>> OpenSource(const std::string& name) {
  if (name.starts_with(Synthetic::kPrefix)) {
    auto made = Synthetic::Create(std::string_view(name).substr(Synthetic::kPrefix.size()));
    if (!made.ok()) return made.status();
    return std::unique_ptr<record::EventSource>(std::move(*made));
  }
  auto opened = record::Reader::Open(name);
  if (!opened.ok()) return opened.status();
  return std::unique_ptr<record::EventSource>(std::move(*opened));
}

StatusOr<SimulationResult> Simulate(const SimulationOptions& options, record::EventSource& source,
                                    const std::function<void(uint64_t)>& progress) {
  auto fabric = ParseFabric(options.fabric);
  if (!fabric.ok()) return fabric.status();
  if (auto p = prefetch::MakePrefetcher(options.prefetcher); !p.ok()) return p.status();

  const uint64_t heap_bytes = source.heap_bytes();
  // All local: a budget that no heap of that size can use up.
  const uint64_t all = heap_bytes + heap_bytes / 16 + (4u << 20);
  const size_t local_pages = std::min(options.local_bytes, all) / base::kPageSize;
  base::Registry registry;
  prefetch::Throttle throttle(std::max(local_pages / kUnusedShare, kMinUnused));
  auto graph = ObjectGraph::Create(heap_bytes);
  if (!graph.ok()) return graph.status();
  auto pager = VirtualPager::Create({.heap_bytes = heap_bytes,
                                     .local_pages = local_pages,
                                     .replacement = options.replacement,
                                     .link = fabric->Link(),
                                     .depth = fabric->depth,
                                     .prefetched = &throttle},
                                    registry);
  if (!pager.ok()) return pager.status();
  auto collector = VirtualCollector::Create(options.order, options.costs, heap_bytes, **graph,
                                            **pager, registry);
  if (!collector.ok()) return collector.status();
  Replayer replayer(source, options.costs, options.prefetcher, throttle, **graph, **pager,
                    **collector);

  while (!replayer.done()) {
    const bool tracer_is_behind =
        (*collector)->running() &&
        (replayer.waits_for_cycle() || (*collector)->clock_ns() < replayer.clock_ns());
    if (tracer_is_behind) {
      (*pager)->AdvanceTo((*collector)->clock_ns());
      (*collector)->Step();
      if (!(*collector)->running()) replayer.CycleEnded((*collector)->clock_ns());
      continue;
    }
    (*pager)->AdvanceTo(replayer.clock_ns());
    if (Status status = replayer.Step(); !status.ok()) return status;
    if (progress && replayer.events() % kProgressEvery == 0) progress(replayer.events());
  }

  SimulationResult result;
  result.counters = registry.Snapshot();
  for (size_t lane = 0; lane < rdma::kLaneCount; ++lane) {
    const bool written = static_cast<rdma::Lane>(lane) == rdma::Lane::kWriteBack;
    result.counters[std::string("fabric.") + rdma::kLaneNames[lane] +
                    (written ? ".written_bytes" : ".read_bytes")] =
        (*pager)->bytes_moved(static_cast<rdma::Lane>(lane));
  }
  result.events = replayer.events();
  result.virtual_ns = replayer.clock_ns();
  result.footprint_bytes = (*pager)->footprint().peak() * base::kPageSize;
  result.local_limit_bytes = std::min<uint64_t>(local_pages * base::kPageSize, heap_bytes);
  result.local_peak_bytes = (*pager)->budget().peak() * base::kPageSize;
  return result;
}

}  // namespace tandem::sim
