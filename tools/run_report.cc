#include "tools/run_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <nlohmann/json.hpp>
#include <variant>

#include "rdma/saved_preset.h"
#include "tools/provenance.h"
#include "workloads/bytes.h"

namespace tandem::tools {

namespace {

using nlohmann::json;
using workloads::FormatBytes;

// With everything local the heap's own limit is what bounds local memory.
uint64_t LocalLimit(const RunReport& report) {
  return std::min(report.result.memory.local_limit_bytes, report.heap_bytes);
}

json OptionsJson(const RunReport& report) {
  const RunRequest& request = report.request;
  json options = {{"local", request.local.text()},    {"heap", report.heap_bytes},
                  {"order", request.order},           {"tracers", request.tracers},
                  {"prefetcher", request.prefetcher}, {"replacement", request.replacement},
                  {"fabric", request.fabric},         {"scale", request.scale},
                  {"move", request.use_move},         {"only_when_full", request.only_when_full},
                  {"trace", request.trace},           {"record", request.record}};
  for (const workloads::Option& option : request.workload->options().all()) {
    std::visit([&](const auto& value) { options[option.name] = value; }, option.value());
  }
  return options;
}

// `measured` first, then the parts it is made of.
std::string DescribeTimes(const RunReport& report) {
  const auto& seconds = report.result.seconds;
  std::string text = fmt::format("{:.2f} s", seconds.at("measured"));
  const char* separator = " (";
  for (const auto& [phase, spent] : seconds) {
    if (phase == "build" || phase == "measured") continue;
    fmt::format_to(std::back_inserter(text), "{}{} {:.2f}", separator, phase, spent);
    separator = ", ";
  }
  if (separator[0] == ',') text += ")";
  if (report.baseline && report.baseline->measured_seconds > 0) {
    fmt::format_to(std::back_inserter(text), ", {:.2f} times the all-local run's {:.2f} s",
                   seconds.at("measured") / report.baseline->measured_seconds,
                   report.baseline->measured_seconds);
  }
  return text;
}

std::string DescribeLocal(const RunReport& report) {
  const HeapMemory& memory = report.result.memory;
  if (report.request.local.IsAll()) {
    return fmt::format("all of it; footprint {}", FormatBytes(memory.footprint_peak_bytes));
  }
  std::string text = FormatBytes(LocalLimit(report));
  if (report.baseline) {
    fmt::format_to(std::back_inserter(text), " of the all-local run's footprint of {}",
                   FormatBytes(report.baseline->footprint_bytes));
  }
  return text + fmt::format("; peak {}", FormatBytes(memory.local_peak_bytes));
}

json SeriesJson(const std::vector<workloads::MemorySample>& samples) {
  json series = {{"seconds", json::array()},
                 {"heap_used_bytes", json::array()},
                 {"local_bytes", json::array()}};
  for (const workloads::MemorySample& sample : samples) {
    series["seconds"].push_back(std::round(sample.seconds * 1e3) / 1e3);
    series["heap_used_bytes"].push_back(sample.heap_used_bytes);
    series["local_bytes"].push_back(sample.local_bytes);
  }
  return series;
}

}  // namespace

std::string RunReport::ForPeople() const {
  const auto counter = [this](const char* name) {
    const auto found = result.counters.find(name);
    return found == result.counters.end() ? 0 : found->second;
  };
  std::string text = fmt::format("{}: {}\n", request.workload->name(), request.workload->summary());
  const auto line = [&text](const char* label, const std::string& value) {
    fmt::format_to(std::back_inserter(text), "  {:<15} {}\n", label, value);
  };
  line("local memory", DescribeLocal(*this));
  line("heap limit", FormatBytes(heap_bytes));
  line("fabric", request.fabric);
  line("prepare", fmt::format("{:.2f} s", prepare_seconds));
  line("build", fmt::format("{:.2f} s", result.seconds.at("build")));
  line("measured", DescribeTimes(*this));
  line("demand fetches",
       fmt::format("{} by the application, {} by the collector", counter("fetch.demand.mutator"),
                   counter("fetch.demand.collector")));
  line("prefetches", fmt::format("{}", counter("fetch.prefetch")));
  line("write-backs", fmt::format("{}", counter("evict.writeback")));
  line("collector",
       fmt::format("{}, {} cycles, longest pause {:.2f} ms", request.order, counter("gc.cycles"),
                   static_cast<double>(counter("gc.pause_max_ns")) / 1e6));
  line("checksum", result.checksum + (baseline && IsRight() ? ", as all local" : ""));
  return text;
}

std::string RunReport::Json() const {
  json seconds = result.seconds;
  seconds["prepare"] = prepare_seconds;
  json provenance = DescribeProvenance();
  provenance["cores"] = CpuCount();
  provenance["fabric"] = rdma::SavedPreset::Spelled(request.fabric);
  json object = {{"workload", request.workload->name()},
                 {"checksum", result.checksum},
                 {"seconds", std::move(seconds)},
                 {"counters", result.counters},
                 {"memory",
                  {{"footprint_bytes", result.memory.footprint_peak_bytes},
                   {"local_limit_bytes", LocalLimit(*this)},
                   {"local_peak_bytes", result.memory.local_peak_bytes},
                   {"heap_limit_bytes", heap_bytes},
                   {"heap_used_bytes", result.memory.heap_used_bytes},
                   {"staging_bytes", result.memory.staging_bytes},
                   {"metadata_bytes", result.memory.metadata_bytes}}},
                 {"series", SeriesJson(result.series)},
                 {"options", OptionsJson(*this)},
                 {"provenance", std::move(provenance)},
                 {"baseline", nullptr}};
  if (baseline) {
    object["baseline"] = {{"checksum", baseline->checksum},
                          {"footprint_bytes", baseline->footprint_bytes},
                          {"measured_seconds", baseline->measured_seconds}};
  }
  return object.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

}  // namespace tandem::tools
