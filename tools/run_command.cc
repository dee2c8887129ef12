#include "tools/run_command.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>

#include "tandem/recording.h"
#include "tools/footprint_cache.h"
#include "tools/progress_bar.h"
#include "tools/provenance.h"
#include "tools/run_report.h"
#include "tools/terminal.h"
#include "tools/trace_file.h"
#include "workloads/bytes.h"
#include "workloads/run_on_heap.h"

namespace tandem::tools {

namespace {

using workloads::FormatBytes;
using workloads::Progress;
using workloads::RunResult;
using workloads::Workload;

constexpr uint64_t kSmallestDefaultHeap = uint64_t{8} << 20;
constexpr uint64_t kHeapGrain = uint64_t{1} << 20;

// Twice what lives at once: the collector has to run, and has room to run beside the application.
uint64_t DefaultHeapBytes(const Workload& workload) {
  const uint64_t bytes = (2 * workload.LiveBytes() + kHeapGrain - 1) / kHeapGrain * kHeapGrain;
  return std::max(bytes, kSmallestDefaultHeap);
}

HeapOptions HeapOptionsFor(const RunRequest& request) {
  HeapOptions options;
  options.heap_bytes = request.heap_bytes;
  options.fabric = request.fabric;
  options.order = request.order;
  options.tracer_threads = static_cast<unsigned>(request.tracers);
  options.prefetcher = request.prefetcher;
  options.replacement = request.replacement;
  options.use_move = request.use_move;
  options.automatic = !request.only_when_full;
  options.on_lost_page = ExitOnLostPage;
  return options;
}

// The footprint is measured with the collector's defaults, whatever the run itself uses, so that
// one percentage is one size for all orders, tracers and prefetchers: what is compared differs
// in nothing else.
HeapOptions AllLocalOptions(const RunRequest& request) {
  HeapOptions options;
  options.heap_bytes = request.heap_bytes;
  options.fabric = "emulated:none";
  options.on_lost_page = ExitOnLostPage;
  return options;
}

// Everything that influences the all-local run.
std::string BaselineKey(const RunRequest& request) {
  nlohmann::json key = {{"workload", request.workload->name()},
                        {"input_hash", request.workload->InputHash()},
                        {"heap_bytes", request.heap_bytes},
                        {"binary", BinaryId()}};
  for (const workloads::Option& option : request.workload->options().all()) {
    if (!option.is_identity) continue;
    std::visit([&](const auto& value) { key["options"][option.name] = value; }, option.value());
  }
  return key.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
}

StatusOr<RunResult> Run(const RunRequest& request, const HeapOptions& options, const char* label) {
  Progress progress;
  ProgressBar bar(fmt::format("{} {}", request.workload->name(), label), progress);
  StatusOr<RunResult> result = workloads::RunOnHeap(*request.workload, options, progress);
  if (result.ok() || result.status().code() != StatusCode::kResourceExhausted) return result;
  return Status::ResourceExhausted(fmt::format("{} (limit {}; --heap raises it)",
                                               result.status().message(),
                                               FormatBytes(options.heap_bytes)));
}

Baseline BaselineOf(const RunResult& all_local) {
  return {all_local.memory.footprint_peak_bytes, all_local.checksum,
          all_local.seconds.at("measured")};
}

void Remember(FootprintCache& cache, const std::string& key, const Baseline& baseline) {
  Status status = cache.Store(key, baseline);
  if (!status.ok()) {
    WriteError(fmt::format("warning: the footprint is not remembered: {}", status.message()));
  }
}

// Wrong names and a system that forbids what a heap needs are found out before the work.
Status CheckHeapOptions(const RunRequest& request) {
  HeapOptions options = HeapOptionsFor(request);
  options.heap_bytes = kSmallestDefaultHeap;
  return Heap::Create(options).status();
}

}  // namespace

Status RunWorkload(RunRequest request) {
  if (Status status = CheckHeapOptions(request); !status.ok()) return status;
  StatusOr<TraceFile> trace = TraceFile::Open(request.trace);
  if (!trace.ok()) return trace.status();
  std::unique_ptr<Recording> recording;
  if (!request.record.empty()) {
    StatusOr<std::unique_ptr<Recording>> opened = Recording::Create(request.record);
    if (!opened.ok()) {
      return {opened.status().code(), fmt::format("--record: {}", opened.status().message())};
    }
    recording = std::move(*opened);
  }

  const auto start = std::chrono::steady_clock::now();
  {
    Progress progress;
    ProgressBar bar(request.workload->name(), progress);
    if (Status status = request.workload->Prepare(progress); !status.ok()) return status;
  }
  const std::chrono::duration<double> prepare = std::chrono::steady_clock::now() - start;
  if (request.heap_bytes == 0) request.heap_bytes = DefaultHeapBytes(*request.workload);

  FootprintCache cache;
  const std::string key = BaselineKey(request);
  std::optional<Baseline> baseline = cache.Find(key);
  if (!baseline && request.local.NeedsFootprint()) {
    StatusOr<RunResult> all_local = Run(request, AllLocalOptions(request), "all local");
    if (!all_local.ok()) return all_local.status();
    baseline = BaselineOf(*all_local);
    Remember(cache, key, *baseline);
  }

  HeapOptions options = HeapOptionsFor(request);
  StatusOr<uint64_t> local = request.local.Resolve(baseline ? baseline->footprint_bytes : 0);
  if (!local.ok()) return local.status();
  options.local_bytes = *local;
  options.recording = recording.get();
  if (Status status = trace->Start(); !status.ok()) return status;
  StatusOr<RunResult> result = Run(request, options, request.local.text().c_str());
  // Also of a run that failed: it may tell why.
  Status traced = trace->Write();
  if (!result.ok()) return result.status();
  if (!traced.ok()) return traced;
  if (recording != nullptr) {
    if (Status status = recording->Finish(); !status.ok()) return status;
  }
  if (Status status = request.workload->WriteOutput(); !status.ok()) return status;

  const RunReport report{request, request.heap_bytes, std::move(*result), prepare.count(),
                         std::move(baseline)};
  Status written = WriteOutput(request.json ? report.Json() : report.ForPeople());
  if (!written.ok() || report.IsRight()) return written;
  return Status::DataLoss(fmt::format("the checksum {} is wrong: the all-local run had {}",
                                      report.result.checksum, report.baseline->checksum));
}

}  // namespace tandem::tools
