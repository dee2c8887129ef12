#include "peers/native/command_line.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "peers/native/backend.h"
#include "tools/provenance.h"
#include "workloads/registry.h"

namespace tandem::peers {

namespace {

using workloads::Option;
using workloads::Options;
using workloads::OptionValue;
using workloads::Scale;

const std::map<std::string, Scale> kScales = {
    {"tiny", Scale::kTiny}, {"small", Scale::kSmall}, {"default", Scale::kDefault}};

std::string Name() { return fmt::format("peer-{}", BackendName()); }

// One workload, its options, and what was given for them.
struct RunSyntax {
  CLI::App* app = nullptr;
  RunRequest request;
  Options run_options;
  std::map<std::string, std::vector<std::string>> given;

  void AddTo(CLI::App* run) {
    app = run->add_subcommand(request.workload->name(), request.workload->summary());
    run_options.AddChoice("scale", "How much work", &request.scale, {"tiny", "small", "default"});
    run_options.AddBytes("heap", "Limit of the heap, if it collects (default: twice what lives)",
                         &request.heap.heap_bytes, uint64_t{1} << 20, uint64_t{1} << 44);
    for (const Options* options : {&run_options, &request.workload->options()}) {
      for (const Option& option : options->all()) {
        app->add_option("--" + option.name, given[option.name], option.help)
            ->expected(1, option.is_list ? CLI::detail::expected_max_vector_size : 1)
            ->type_name(option.value_name);
      }
    }
    app->add_flag("--json", request.json, "Print one JSON object")->disable_flag_override();
    if (BackendIsIncremental()) {
      app->add_flag("--incremental", request.heap.incremental, "Collect a little at a time")
          ->disable_flag_override();
    }
  }

  // Sets what was given, on top of the preset that was given.
  Status Apply() {
    if (Status status = SetGiven(run_options); !status.ok()) return status;
    request.workload->SetScale(kScales.at(request.scale));
    return SetGiven(request.workload->options());
  }

 private:
  Status SetGiven(Options& options) {
    for (const Option& option : options.all()) {
      if (app->count("--" + option.name) == 0) continue;
      Status status = options.Set(option.name, given[option.name]);
      if (!status.ok()) return status;
    }
    return Status::Ok();
  }
};

std::string ListText() {
  std::string text = "workloads:\n";
  for (const auto& workload : workloads::MakeAllWorkloads()) {
    text += fmt::format("  {:<22} {}\n", workload->name(), workload->summary());
  }
  return text;
}

}  // namespace

StatusOr<Request> ParseCommandLine(int argc, char** argv) {
  CLI::App app("Tandem's workloads on another memory manager. docs/peers.md.", Name());
  const std::string version = fmt::format("{}, of {}", Name(), tools::VersionLine());
  app.set_version_flag("--version", version, "Print version and commit, and exit");
  app.require_subcommand(1);
  CLI::App* list = app.add_subcommand("list", "Name the workloads there are");
  CLI::App* run = app.add_subcommand("run", "Run a workload, as `tandem run` does");
  std::vector<std::unique_ptr<RunSyntax>> syntaxes;
  std::vector<std::string> names;
  for (std::unique_ptr<workloads::Workload>& workload : workloads::MakeAllWorkloads()) {
    syntaxes.push_back(std::make_unique<RunSyntax>());
    syntaxes.back()->request.workload = std::move(workload);
    syntaxes.back()->AddTo(run);
    names.push_back(syntaxes.back()->request.workload->name());
  }
  run->allow_extras();  // only now: workloads would inherit it
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    return Request(ShowRequest{app.help()});
  } catch (const CLI::CallForVersion&) {
    return Request(ShowRequest{version + "\n"});
  } catch (const CLI::ParseError& error) {
    std::string message = error.what();
    std::replace(message.begin(), message.end(), '\n', ' ');
    return Status::InvalidArgument(message + "; --help tells what is valid");
  }
  if (list->parsed()) return Request(ShowRequest{ListText()});
  for (const auto& syntax : syntaxes) {
    if (!syntax->app->parsed()) continue;
    if (Status status = syntax->Apply(); !status.ok()) return status;
    return Request(std::move(syntax->request));
  }
  const std::vector<std::string> extra = run->remaining();
  return Status::InvalidArgument(fmt::format(
      "{}; valid are {}",
      extra.empty() ? "a workload is missing" : fmt::format("unknown workload '{}'", extra[0]),
      fmt::join(names, ", ")));
}

}  // namespace tandem::peers
