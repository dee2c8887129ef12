// `tandem`: runs workloads on a heap larger than local memory. docs/command.md.
#include <cstdio>
#include <new>
#include <utility>
#include <variant>

#include "rdma/remote/remote_fabric.h"
#include "tools/command_line.h"
#include "tools/exit_code.h"
#include "tools/fabrics_command.h"
#include "tools/fit_command.h"
#include "tools/list_command.h"
#include "tools/memserver_command.h"
#include "tools/run_command.h"
#include "tools/simulate_command.h"
#include "tools/terminal.h"

namespace tandem::tools {
namespace {

Status Perform(Request request) {
  if (auto* show = std::get_if<ShowRequest>(&request)) return WriteOutput(show->text);
  if (auto* run = std::get_if<RunRequest>(&request)) return RunWorkload(std::move(*run));
  if (auto* simulate = std::get_if<SimulateRequest>(&request)) {
    return RunSimulation(std::move(*simulate));
  }
  if (auto* memserver = std::get_if<MemserverRequest>(&request)) {
    return RunMemserver(std::move(*memserver));
  }
  if (auto* fit = std::get_if<FitRequest>(&request)) return FitFabric(*fit);
  if (std::holds_alternative<FabricsRequest>(request)) return WriteOutput(DescribeFabrics());
  return WriteOutput(DescribeChoices());
}

Status ParseAndPerform(int argc, char** argv) {
  StatusOr<Request> request = ParseCommandLine(argc, argv);
  return request.ok() ? Perform(std::move(*request)) : request.status();
}

int Main(int argc, char** argv) {
  PrepareProcess();
  rdma::RegisterRemoteFabrics();
  Status status;
  try {
    status = ParseAndPerform(argc, argv);
  } catch (const std::bad_alloc&) {
    status = Status::ResourceExhausted("out of memory");
  }
  if (!status.ok() && !status.message().empty()) WriteError(status.message());
  return ExitCodeOf(status);
}

}  // namespace
}  // namespace tandem::tools

int main(int argc, char** argv) { return tandem::tools::Main(argc, argv); }
