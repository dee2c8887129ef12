// A peer of `tandem run`: the same workloads on another memory manager. docs/peers.md.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <new>
#include <nlohmann/json.hpp>
#include <utility>

#include "peers/native/backend.h"
#include "peers/native/command_line.h"
#include "tools/exit_code.h"
#include "tools/provenance.h"
#include "tools/terminal.h"
#include "workloads/bytes.h"
#include "workloads/run_on_heap.h"

namespace tandem::peers {
namespace {

using nlohmann::json;
using workloads::FormatBytes;
using workloads::RunResult;

constexpr uint64_t kMib = uint64_t{1} << 20;

// As `tandem run` has it.
uint64_t DefaultHeapBytes(const workloads::Workload& workload) {
  const uint64_t bytes = (2 * workload.LiveBytes() + kMib - 1) / kMib * kMib;
  return std::max(bytes, 8 * kMib);
}

// What scripts/swap tells those that it runs.
std::string SwapDevice() {
  const char* device = std::getenv("TANDEM_SWAP_DEVICE");
  return device == nullptr ? "none" : device;
}
uint64_t LimitBytes() {
  const char* limit = std::getenv("TANDEM_SWAP_LIMIT");
  return limit == nullptr ? 0 : std::strtoull(limit, nullptr, 10);
}

std::string Json(const RunRequest& request, const RunResult& result, double prepare_seconds) {
  json seconds = result.seconds;
  seconds["prepare"] = prepare_seconds;
  json options = {{"scale", request.scale},
                  {"heap", request.heap.heap_bytes},
                  {"incremental", request.heap.incremental}};
  for (const workloads::Option& option : request.workload->options().all()) {
    std::visit([&](const auto& value) { options[option.name] = value; }, option.value());
  }
  json provenance = tools::DescribeProvenance();
  provenance["cores"] = tools::CpuCount();
  provenance["peer"] = BackendName();
  provenance["swap"] = SwapDevice();
  const json object = {{"workload", request.workload->name()},
                       {"checksum", result.checksum},
                       {"seconds", std::move(seconds)},
                       {"counters", result.counters},
                       {"memory",
                        {{"footprint_bytes", result.memory.footprint_peak_bytes},
                         {"process_peak_bytes", result.memory.process_peak_bytes},
                         {"outside_bytes", result.memory.outside_bytes},
                         {"local_limit_bytes", LimitBytes()},
                         {"heap_limit_bytes", request.heap.heap_bytes},
                         {"heap_used_bytes", result.memory.heap_used_bytes}}},
                       {"options", std::move(options)},
                       {"provenance", std::move(provenance)},
                       {"baseline", nullptr}};
  return object.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

std::string ForPeople(const RunRequest& request, const RunResult& result) {
  const auto& counters = result.counters;
  return fmt::format(
      "{} on {}\n  build    {:.2f} s\n  measured {:.2f} s\n  memory   {} at most, {} of them for "
      "objects\n  swap     {}, {} major faults\n  cycles   {}\n  checksum {}\n",
      request.workload->name(), BackendName(), result.seconds.at("build"),
      result.seconds.at("measured"), FormatBytes(result.memory.process_peak_bytes),
      FormatBytes(result.memory.footprint_peak_bytes), SwapDevice(), counters.at("os.major_faults"),
      counters.at("gc.cycles"), result.checksum);
}

Status RunWorkload(RunRequest request) {
  const auto start = std::chrono::steady_clock::now();
  workloads::Progress progress;
  if (Status status = request.workload->Prepare(progress); !status.ok()) return status;
  const std::chrono::duration<double> prepare = std::chrono::steady_clock::now() - start;
  if (request.heap.heap_bytes == 0) request.heap.heap_bytes = DefaultHeapBytes(*request.workload);
  const StatusOr<RunResult> result =
      workloads::RunOnHeap(*request.workload, request.heap, progress);
  if (!result.ok()) return result.status();
  if (Status status = request.workload->WriteOutput(); !status.ok()) return status;
  return tools::WriteOutput(request.json ? Json(request, result.value(), prepare.count())
                                         : ForPeople(request, result.value()));
}

Status ParseAndPerform(int argc, char** argv) {
  StatusOr<Request> request = ParseCommandLine(argc, argv);
  if (!request.ok()) return request.status();
  if (auto* show = std::get_if<ShowRequest>(&*request)) return tools::WriteOutput(show->text);
  return RunWorkload(std::get<RunRequest>(std::move(*request)));
}

int Main(int argc, char** argv) {
  tools::PrepareProcess();
  Status status;
  try {
    status = ParseAndPerform(argc, argv);
  } catch (const std::bad_alloc&) {
    status = Status::ResourceExhausted("out of memory");
  }
  if (!status.ok() && !status.message().empty()) tools::WriteError(status.message());
  return tools::ExitCodeOf(status);
}

}  // namespace
}  // namespace tandem::peers

int main(int argc, char** argv) { return tandem::peers::Main(argc, argv); }
