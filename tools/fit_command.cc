#include "tools/fit_command.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "rdma/fabric_probe.h"
#include "rdma/link_fit.h"
#include "rdma/saved_preset.h"
#include "tools/progress_bar.h"
#include "tools/provenance.h"
#include "tools/terminal.h"

namespace tandem::tools {

namespace {

using nlohmann::json;
using rdma::Direction;
using rdma::FabricProbe;
using rdma::ProbeResult;

constexpr uint32_t kSizes[] = {64, 4096, 16384, 65536};
static_assert(std::end(kSizes)[-1] <= FabricProbe::kMaxBytes);
constexpr uint32_t kPageBytes = 4096;
constexpr const char* kNoNetwork = "emulated:none";
// What the emulator takes itself shows while it waits for something, as it will with what is
// fitted.
constexpr uint64_t kIdleNs = 1000;

// One measurement of the fabric, and the same of the emulator.
struct Cell {
  ProbeResult measured;
  ProbeResult emulated;
};

struct Fitting {
  std::string fabric;  // its full name
  uint32_t depth = 0;  // the most in flight
  std::vector<Cell> cells;
  double idle_page_ns = 0;  // what the emulator adds to a page
  rdma::LinkFit fit;
  std::string options;  // what the preset consists of
};

// A fabric in use. The probe goes first.
struct Subject {
  std::unique_ptr<rdma::Fabric> fabric;
  std::unique_ptr<FabricProbe> probe;
};

StatusOr<Subject> OpenSubject(const std::string& url) {
  auto fabric = rdma::Fabric::Open(url);
  if (!fabric.ok()) return fabric.status();
  Subject subject;
  subject.fabric = std::move(*fabric);
  auto probe = FabricProbe::Open(*subject.fabric);
  if (!probe.ok()) return probe.status();
  subject.probe = std::move(*probe);
  return subject;
}

StatusOr<Fitting> Fit(const FitRequest& request) {
  StatusOr<Subject> real = OpenSubject(request.url);
  if (!real.ok()) return real.status();
  StatusOr<Subject> idle = OpenSubject(fmt::format("{},latency_ns={}", kNoNetwork, kIdleNs));
  if (!idle.ok()) return idle.status();
  const uint64_t time_ns = request.time_ms * 1'000'000;
  Fitting fitting;
  fitting.fabric = real->fabric->Name();
  fitting.depth = real->probe->depth();
  std::vector<uint32_t> depths;
  for (uint32_t depth = 1; depth < fitting.depth; depth *= 2) depths.push_back(depth);
  depths.push_back(fitting.depth);

  workloads::Progress progress;
  ProgressBar bar("fit-fabric", progress);
  progress.Begin("measurements", 3 * 2 * std::size(kSizes) * depths.size());
  std::vector<rdma::LinkSample> samples, idle_samples;
  for (const Direction direction : {Direction::kRead, Direction::kWrite}) {
    for (const uint32_t bytes : kSizes) {
      for (const uint32_t depth : depths) {
        auto found = real->probe->Measure(direction, bytes, depth, time_ns);
        if (!found.ok()) return found.status();
        progress.Advance(1);
        if (!found->has_value()) continue;
        fitting.cells.push_back({.measured = **found, .emulated = {}});
        samples.push_back((*found)->median);
        auto own = idle->probe->Measure(direction, bytes, depth, time_ns);
        if (!own.ok()) return own.status();
        progress.Advance(1);
        rdma::LinkSample& sample = idle_samples.emplace_back((*own)->median);
        sample.latency_ns = std::max(0.0, sample.latency_ns - kIdleNs);
        if (direction == Direction::kRead && bytes == kPageBytes && depth == 1) {
          fitting.idle_page_ns = sample.latency_ns;
        }
      }
    }
  }
  fitting.fit = rdma::FitLink(samples, idle_samples);
  fitting.options = fitting.fit.Options() + (real->fabric->PinsBuffers() ? ",pins=1" : "");

  StatusOr<Subject> model = OpenSubject(fmt::format("{},{}", kNoNetwork, fitting.options));
  if (!model.ok()) return model.status();
  for (Cell& cell : fitting.cells) {
    const rdma::LinkSample& sample = cell.measured.median;
    auto found = model->probe->Measure(sample.direction, sample.bytes, sample.depth, time_ns);
    if (!found.ok()) return found.status();
    cell.emulated = **found;
    progress.Advance(1);
  }
  return fitting;
}

const char* NameOf(Direction direction) { return direction == Direction::kRead ? "read" : "write"; }

json JsonOf(const ProbeResult& result) {
  return {{"p50_ns", result.median.latency_ns},
          {"p99_ns", result.p99_ns},
          {"ns_per_transfer", result.median.interval_ns},
          {"transfers", result.transfers}};
}

std::string Json(const FitRequest& request, const Fitting& fitting) {
  json provenance = DescribeProvenance();
  provenance["cores"] = CpuCount();
  json cells = json::array();
  for (const Cell& cell : fitting.cells) {
    cells.push_back({{"direction", NameOf(cell.measured.median.direction)},
                     {"bytes", cell.measured.median.bytes},
                     {"depth", cell.measured.median.depth},
                     {"measured", JsonOf(cell.measured)},
                     {"emulated", JsonOf(cell.emulated)}});
  }
  const json object = {{"fabric", fitting.fabric},
                       {"preset", fmt::format("{},{}", kNoNetwork, fitting.options)},
                       {"saved", request.save},
                       {"parameters",
                        {{"read_latency_ns", fitting.fit.read_latency_ns},
                         {"write_latency_ns", fitting.fit.write_latency_ns},
                         {"operation_ns", fitting.fit.operation_ns},
                         {"bandwidth_mb_s", fitting.fit.bandwidth_mb_s}}},
                       {"cells", std::move(cells)},
                       {"provenance", std::move(provenance)}};
  return object.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

std::string ForPeople(const FitRequest& request, const Fitting& fitting) {
  std::string text = fmt::format("{}\n", fitting.fabric);
  const auto out = std::back_inserter(text);
  fmt::format_to(out, "{:>28}{:>28}{:>29}\n", "", "measured", "emulated, as fitted");
  fmt::format_to(out, "{:<6}{:>8}{:>12}  {:>8}{:>9}{:>9}  {:>9}{:>9}{:>9}\n", "", "bytes",
                 "in flight", "p50 us", "p99 us", "k/s", "p50 us", "p99 us", "k/s");
  for (const Cell& cell : fitting.cells) {
    const rdma::LinkSample& sample = cell.measured.median;
    if (sample.depth != 1 && sample.depth != fitting.depth) continue;
    fmt::format_to(out, "{:<6}{:>8}{:>12}  {:>8.1f}{:>9.1f}{:>9.1f}  {:>9.1f}{:>9.1f}{:>9.1f}\n",
                   NameOf(sample.direction), sample.bytes, sample.depth, sample.latency_ns / 1e3,
                   cell.measured.p99_ns / 1e3, 1e6 / sample.interval_ns,
                   cell.emulated.median.latency_ns / 1e3, cell.emulated.p99_ns / 1e3,
                   1e6 / cell.emulated.median.interval_ns);
    if (sample.direction == Direction::kRead && sample.bytes == kPageBytes && sample.depth == 1 &&
        sample.latency_ns < fitting.idle_page_ns) {
      fmt::format_to(out,
                     "      (quicker than the emulator can be, which takes {:.1f} us itself)\n",
                     fitting.idle_page_ns / 1e3);
    }
  }
  if (fitting.fit.bandwidth_mb_s == 0) {
    text += "No limit of the bandwidth was seen: 0 stands for unlimited.\n";
  }
  fmt::format_to(out, "preset: --fabric {},{}\n", kNoNetwork, fitting.options);
  if (!request.save.empty()) {
    fmt::format_to(out, "saved:  --fabric emulated:{}  ({})\n", request.save,
                   rdma::SavedPreset::FileOf(request.save));
  }
  return text;
}

}  // namespace

Status FitFabric(const FitRequest& request) {
  StatusOr<Fitting> fitting = Fit(request);
  if (!fitting.ok()) return fitting.status();
  if (!request.save.empty()) {
    const std::map<std::string, std::string> origin = DescribeProvenance();
    const rdma::SavedPreset preset{.name = request.save,
                                   .options = fitting->options,
                                   .summary = fmt::format("fitted to {} on {}", fitting->fabric,
                                                          origin.at("date").substr(0, 10))};
    if (Status s = preset.Save(); !s.ok()) return s;
  }
  return WriteOutput(request.json ? Json(request, *fitting) : ForPeople(request, *fitting));
}

}  // namespace tandem::tools
