#include "tools/command_line.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "rdma/remote/host_port.h"
#include "rdma/remote/provider.h"
#include "rdma/saved_preset.h"
#include "tools/provenance.h"
#include "workloads/bytes.h"
#include "workloads/registry.h"

namespace tandem::tools {

namespace {

using workloads::Option;
using workloads::Options;
using workloads::OptionValue;
using workloads::Scale;

const std::map<std::string, Scale> kScales = {
    {"tiny", Scale::kTiny}, {"small", Scale::kSmall}, {"default", Scale::kDefault}};

std::vector<std::string> NamesOf(const std::vector<Component>& components) {
  std::vector<std::string> names;
  names.reserve(components.size());
  for (const Component& component : components) names.push_back(component.name);
  return names;
}

// Of something that may have options behind its name; those are for the heap to judge.
Status CheckName(std::string_view name, const std::vector<Component>& components) {
  const std::vector<std::string> valid = NamesOf(components);
  if (std::find(valid.begin(), valid.end(), name) != valid.end()) return Status::Ok();
  return Status::InvalidArgument(
      fmt::format("unknown '{}'; valid are {}", name, fmt::join(valid, ", ")));
}

// What `run` and `simulate` have in common.

void AddLocal(LocalSize* target, Options& options) {
  options.Add({"local", "Local memory: a share of the footprint, or a size", "SIZE", false, true,
               [target](const std::vector<std::string>& values) {
                 StatusOr<LocalSize> local = LocalSize::Parse(values[0]);
                 if (local.ok()) *target = *local;
                 return local.status();
               },
               [target] { return OptionValue(target->text()); }});
}

void AddOrder(std::string* target, const Components& valid, Options& options) {
  options.Add({"order", "Order of tracing, with options behind it: lineup,max_depth=2", "NAME",
               false, true,
               [target, valid](const std::vector<std::string>& values) {
                 *target = values[0];
                 return CheckName(values[0].substr(0, values[0].find(',')), valid.orders);
               },
               [target] { return OptionValue(*target); }});
}

void AddPolicies(std::string* prefetcher, std::string* replacement, const Components& valid,
                 Options& options) {
  options.AddChoice("prefetcher", "Prefetcher", prefetcher, NamesOf(valid.prefetchers));
  options.AddChoice("replacement", "Which local pages leave first", replacement,
                    NamesOf(valid.replacements));
}

void AddFabric(std::string* target, Options& options) {
  options.Add({"fabric", "Where far pages go, see `tandem list`", "NAME", false, true,
               [target](const std::vector<std::string>& values) {
                 *target = values[0];
                 return Status::Ok();
               },
               [target] { return OptionValue(*target); }});
}

// The options of `run` that every workload has.
void AddRunOptions(RunRequest& request, Options& options) {
  const Components valid = ListComponents();
  AddLocal(&request.local, options);
  options.AddBytes("heap", "Limit of the heap (default: twice what lives at once)",
                   &request.heap_bytes, uint64_t{1} << 20, uint64_t{1} << 44);
  AddOrder(&request.order, valid, options);
  options.AddCount("tracers", "Threads of the collector", &request.tracers, 1, 64);
  AddPolicies(&request.prefetcher, &request.replacement, valid, options);
  AddFabric(&request.fabric, options);
  options.Add({"trace", "Write a timeline of the run, for ui.perfetto.dev", "FILE", false, false,
               [&request](const std::vector<std::string>& values) {
                 request.trace = values[0];
                 if (!request.trace.empty()) return Status::Ok();
                 return Status::InvalidArgument("a valid name of a file is needed");
               },
               [&request] { return OptionValue(request.trace); }});
  options.Add({"record", "Record accesses, for `tandem simulate`; slow", "FILE", false, false,
               [&request](const std::vector<std::string>& values) {
                 request.record = values[0];
                 if (!request.record.empty()) return Status::Ok();
                 return Status::InvalidArgument("a valid name of a file is needed");
               },
               [&request] { return OptionValue(request.record); }});
  options.AddChoice("scale", "How much work", &request.scale, {"tiny", "small", "default"});
}

void AddSimulateOptions(SimulateRequest& request, Options& options) {
  const Components valid = ListComponents();
  sim::SimulationOptions& simulation = request.options;
  AddLocal(&request.local, options);
  AddOrder(&simulation.order, valid, options);
  AddPolicies(&simulation.prefetcher, &simulation.replacement, valid, options);
  AddFabric(&simulation.fabric, options);
  constexpr uint64_t kMaxNs = 1'000'000'000;
  options.AddCount("access-ns", "Cost of an access", &simulation.costs.access_ns, 0, kMaxNs);
  options.AddCount("alloc-ns", "Cost of an allocation", &simulation.costs.alloc_ns, 0, kMaxNs);
  options.AddCount("mark-ns", "Cost of marking an object, and of tracing it",
                   &simulation.costs.mark_ns, 1, kMaxNs);
  options.AddCount("fetch-ns", "Cost of a fetch, on top of what the link takes",
                   &simulation.costs.fetch_ns, 0, kMaxNs);
}

std::string DefaultText(const Option& option) {
  const OptionValue value = option.value();
  if (const auto* number = std::get_if<uint64_t>(&value)) {
    if (option.value_name != std::string_view("BYTES")) return fmt::to_string(*number);
    return *number == 0 ? "" : workloads::FormatBytes(*number);  // 0: the help text explains
  }
  if (const auto* text = std::get_if<std::string>(&value)) return *text;
  return "";
}

// One subcommand of `run`: a workload, its options, and what was given for them.
struct RunSyntax {
  CLI::App* app = nullptr;
  RunRequest request;
  Options run_options;
  std::map<std::string, std::vector<std::string>> given;
  bool no_move = false;
  bool only_when_full = false;
  bool encrypt = false;

  void AddTo(CLI::App* run) {
    app = run->add_subcommand(request.workload->name(), request.workload->summary());
    app->allow_extras();
    request.workload->SetScale(Scale::kDefault);
    AddRunOptions(request, run_options);
    AddToApp(run_options, "Options of every workload");
    app->add_flag("--json", request.json, "Print one JSON object")
        ->disable_flag_override()
        ->group("Options of every workload");
    app->add_flag("--no-move", no_move, "Do without UFFDIO_MOVE even where the kernel has it")
        ->disable_flag_override()
        ->group("Options of every workload");
    app->add_flag("--encrypt", encrypt, "Encrypt far pages: as --fabric sealed:NAME")
        ->disable_flag_override()
        ->group("Options of every workload");
    app->add_flag("--only-when-full", only_when_full, "Collect only when the heap is full")
        ->disable_flag_override()
        ->group("Options of every workload");
    AddToApp(request.workload->options(), "Options of " + request.workload->name());
    app->footer(
        fmt::format("Example: tandem run {} --local 13% --fabric emulated:rdma100\n"
                    "Sizes are written like 4096, 512K, 64MiB, 4G.",
                    request.workload->name()));
  }

  // Sets what was given, on top of the preset that was given.
  Status Apply() {
    if (const std::vector<std::string> extra = app->remaining(); !extra.empty()) {
      return Status::InvalidArgument(fmt::format("unknown '{}'; valid options are {}", extra[0],
                                                 fmt::join(OptionNames(), " ")));
    }
    for (const Option& option : run_options.all()) {
      if (Status status = SetIfGiven(run_options, option.name); !status.ok()) return status;
    }
    if (encrypt && !request.fabric.starts_with("sealed:")) {
      request.fabric = "sealed:" + request.fabric;
    }
    request.workload->SetScale(kScales.at(request.scale));
    for (const Option& option : request.workload->options().all()) {
      Status status = SetIfGiven(request.workload->options(), option.name);
      if (!status.ok()) return status;
    }
    request.use_move = !no_move;
    request.only_when_full = only_when_full;
    return Status::Ok();
  }

 private:
  void AddToApp(const Options& options, const std::string& group) {
    for (const Option& option : options.all()) {
      app->add_option("--" + option.name, given[option.name], option.help)
          ->expected(1, option.is_list ? CLI::detail::expected_max_vector_size : 1)
          ->type_name(option.value_name)
          ->default_str(DefaultText(option))
          ->group(group);
    }
  }

  Status SetIfGiven(Options& options, const std::string& name) {
    const auto values = given.find(name);
    if (app->count("--" + name) == 0) return Status::Ok();
    return options.Set(name, values->second);
  }

  std::vector<std::string> OptionNames() const {
    std::vector<std::string> names;
    for (const CLI::Option* option : app->get_options()) names.push_back(option->get_name());
    return names;
  }
};

// `simulate`, and what was given for it.
struct SimulateSyntax {
  CLI::App* app = nullptr;
  SimulateRequest request;
  Options options;
  std::map<std::string, std::vector<std::string>> given;

  void AddTo(CLI::App& parent) {
    app = parent.add_subcommand(
        "simulate", "Replay a recording in virtual time: tandem simulate SOURCE [OPTIONS]");
    app->allow_extras();
    AddSimulateOptions(request, options);
    for (const Option& option : options.all()) {
      app->add_option("--" + option.name, given[option.name], option.help)
          ->expected(1)
          ->type_name(option.value_name)
          ->default_str(DefaultText(option));
    }
    app->add_flag("--json", request.json, "Print one JSON object")->disable_flag_override();
    app->footer(
        "SOURCE is a file that `tandem run WORKLOAD --record FILE` wrote, or synthetic:SHAPE with "
        "SHAPE graph,\nlist or zipf and options behind it.\n"
        "Example: tandem simulate synthetic:graph,objects=100000,wait=1 --order lineup");
  }

  Status Apply() {
    const std::vector<std::string> sources = app->remaining();
    if (sources.empty()) {
      return Status::InvalidArgument(
          "a source is missing; valid are a recording's file and synthetic:graph, synthetic:list, "
          "synthetic:zipf");
    }
    const size_t wrong = sources[0].starts_with("-") ? 0 : 1;
    if (sources.size() > wrong) {
      std::vector<std::string> names;
      for (const CLI::Option* option : app->get_options()) names.push_back(option->get_name());
      return Status::InvalidArgument(
          fmt::format("unknown '{}'; valid options are {}", sources[wrong], fmt::join(names, " ")));
    }
    request.source = sources[0];
    for (const Option& option : options.all()) {
      if (app->count("--" + option.name) == 0) continue;
      if (Status s = options.Set(option.name, given[option.name]); !s.ok()) return s;
    }
    return Status::Ok();
  }
};

// `memserver`: sizes are texts until they are looked at.
struct MemserverSyntax {
  CLI::App* app = nullptr;
  MemserverRequest request;
  std::string capacity = "1GiB";
  std::string slab = "64MiB";
  std::string client_limit;

  void AddTo(CLI::App& tandem) {
    app = tandem.add_subcommand("memserver", "Lend this machine's memory to heaps elsewhere");
    app->allow_extras();
    rdma::MemoryServerOptions& server = request.server;
    app->add_option("--fabric", server.fabric,
                    std::string("How pages travel: ") + rdma::kProviderList)
        ->default_str(server.fabric)
        ->type_name("NAME");
    app->add_option("--listen", server.listen,
                    "HOST:PORT to listen on, port 0 for any; for shm and shm-ofi a name, for verbs "
                    "an address of an RDMA device")
        ->default_str(server.listen)
        ->type_name("ADDRESS");
    app->add_option("--capacity", capacity, "Memory to lend in all")
        ->default_str(capacity)
        ->type_name("BYTES");
    app->add_option("--slab", slab, "Unit in which it is lent")
        ->default_str(slab)
        ->type_name("BYTES");
    app->add_option("--client-limit", client_limit, "At most this for one heap (default: all)")
        ->type_name("BYTES");
    app->add_option("--lease", request.lease_seconds,
                    "Seconds after which a heap that is silent has vanished")
        ->default_str(std::to_string(request.lease_seconds))
        ->check(CLI::Range(1, 86400))
        ->type_name("N");
    app->add_option("--drain", request.drain_seconds,
                    "Seconds that SIGTERM waits for heaps to leave")
        ->default_str(std::to_string(request.drain_seconds))
        ->check(CLI::Range(0, 86400))
        ->type_name("N");
    app->add_option("--secret-file", request.secret_file,
                    "Heaps must show the secret in this file (TANDEM_SECRET_FILE on their side)")
        ->type_name("FILE");
    app->add_option("--tls-cert", request.tls_cert,
                    "Mutual TLS for the control connection: this server's certificate (heaps: "
                    "TANDEM_TLS_CERT, TANDEM_TLS_KEY, TANDEM_TLS_CA)")
        ->type_name("FILE");
    app->add_option("--tls-key", request.tls_key, "... its key")->type_name("FILE");
    app->add_option("--tls-ca", request.tls_ca, "... who signs the certificates of heaps")
        ->type_name("FILE");
    app->add_option("--http", request.http,
                    "HOST:PORT or PORT of this machine: /metrics for Prometheus, /healthz "
                    "(default: none)")
        ->type_name("ADDRESS");
    app->add_flag("--insecure", server.insecure,
                  "Listen beyond this machine although there is neither secret nor TLS")
        ->disable_flag_override();
    app->add_flag("--busy-poll", server.busy_poll,
                  "Never sleep: takes a processor, and saves each transfer a wake-up")
        ->disable_flag_override();
    app->footer(
        "Example: tandem memserver --listen 127.0.0.1:9410 --capacity 4GiB\n"
        "         tandem run wordcount --fabric tcp://127.0.0.1:9410");
  }

  Status Apply() {
    if (const std::vector<std::string> extra = app->remaining(); !extra.empty()) {
      return Status::InvalidArgument(
          fmt::format("unknown '{}'; `tandem memserver --help` tells what is valid", extra[0]));
    }
    if (!request.http.empty()) {
      if (request.http.find(':') == request.http.npos) request.http = "127.0.0.1:" + request.http;
      if (!rdma::HostPort::Parse(request.http).ok() ||
          request.http.find(',') != request.http.npos) {
        return Status::InvalidArgument(
            fmt::format("--http: '{}' is no address; valid are HOST:PORT and PORT", request.http));
      }
    }
    rdma::MemoryServerOptions& server = request.server;
    for (auto [text, bytes] :
         {std::pair(&capacity, &server.capacity_bytes), std::pair(&slab, &server.slab_bytes),
          std::pair(&client_limit, &server.client_bytes)}) {
      if (text->empty()) continue;
      StatusOr<uint64_t> parsed = workloads::ParseBytes(*text);
      if (!parsed.ok()) return parsed.status();
      *bytes = *parsed;
    }
    return Status::Ok();
  }
};

// `fit-fabric`: what is no option is the URL.
struct FitSyntax {
  CLI::App* app = nullptr;
  FitRequest request;

  void AddTo(CLI::App& tandem) {
    app = tandem.add_subcommand(
        "fit-fabric", "Measure a fabric, and fit the emulator to it: tandem fit-fabric URL");
    app->allow_extras();
    app->add_option("--save", request.save, "Save it as a preset: --fabric emulated:NAME from then")
        ->type_name("NAME");
    app->add_option("--time", request.time_ms,
                    "Milliseconds for each size, direction and number in flight")
        ->default_str(std::to_string(request.time_ms))
        ->check(CLI::Range(1, 10000))
        ->type_name("N");
    app->add_flag("--json", request.json, "Print one JSON object, with all that was measured")
        ->disable_flag_override();
    app->footer("Example: tandem fit-fabric tcp://127.0.0.1:9410 --save lab");
  }

  Status Apply() {
    const std::vector<std::string> urls = app->remaining();
    if (urls.empty()) {
      return Status::InvalidArgument("a fabric is missing; `tandem list` names those there are");
    }
    if (urls.size() > 1 || urls[0].starts_with("-")) {
      return Status::InvalidArgument(
          fmt::format("unknown '{}'; valid are one fabric, --save, --time, --json, --help",
                      urls[urls[0].starts_with("-") ? 0 : 1]));
    }
    request.url = urls[0];
    if (app->count("--save") == 0) return Status::Ok();
    return rdma::SavedPreset::CheckName(request.save);
  }
};

std::vector<std::unique_ptr<RunSyntax>> MakeRunSyntaxes() {
  std::vector<std::unique_ptr<RunSyntax>> all;
  for (std::unique_ptr<workloads::Workload>& workload : workloads::MakeAllWorkloads()) {
    all.push_back(std::make_unique<RunSyntax>());
    all.back()->request.workload = std::move(workload);
  }
  return all;
}

std::string WorkloadNames(const std::vector<std::unique_ptr<RunSyntax>>& syntaxes) {
  std::vector<std::string> names;
  names.reserve(syntaxes.size());
  for (const auto& syntax : syntaxes) names.push_back(syntax->request.workload->name());
  return fmt::format("{}", fmt::join(names, ", "));
}

// CLI11 breaks some of its messages into lines.
std::string OneLine(std::string text) {
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text;
}

}  // namespace

StatusOr<Request> ParseCommandLine(int argc, char** argv) {
  CLI::App app("A managed heap larger than local memory.", "tandem");
  app.set_version_flag("--version", VersionLine(), "Print version and commit, and exit");
  app.footer("Example: tandem run wordcount --local 25%");
  app.get_formatter()->column_width(34);
  app.allow_extras();

  CLI::App* run = app.add_subcommand("run", "Run a workload: tandem run WORKLOAD [OPTIONS]");
  run->footer(
      "Example: tandem run wordcount --local 25%\n`tandem run WORKLOAD --help` tells its "
      "options.");
  run->allow_extras();
  std::vector<std::unique_ptr<RunSyntax>> syntaxes = MakeRunSyntaxes();
  for (const auto& syntax : syntaxes) syntax->AddTo(run);

  SimulateSyntax simulate;
  simulate.AddTo(app);

  CLI::App* list = app.add_subcommand(
      "list", "Name the workloads, orders of tracing, policies and fabrics there are");
  list->footer("Example: tandem list");
  list->allow_extras();

  CLI::App* fabrics =
      app.add_subcommand("fabrics", "Tell which fabrics this machine offers, and why not others");
  fabrics->footer("Example: tandem fabrics");
  fabrics->allow_extras();

  FitSyntax fit;
  fit.AddTo(app);

  MemserverSyntax memserver;
  memserver.AddTo(app);

  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    return Request(ShowRequest{app.help()});
  } catch (const CLI::CallForVersion&) {
    return Request(ShowRequest{VersionLine() + "\n"});
  } catch (const CLI::ParseError& error) {
    return Status::InvalidArgument(OneLine(error.what()) + "; --help tells what is valid");
  }

  if (const std::vector<std::string> extra = app.remaining(); !extra.empty()) {
    return Status::InvalidArgument(
        fmt::format("unknown command '{}'; valid are run, simulate, list, fabrics, "
                    "fit-fabric, memserver, --help, --version",
                    extra[0]));
  }
  if (list->parsed()) {
    const std::vector<std::string> extra = list->remaining();
    if (extra.empty()) return Request(ListRequest{});
    return Status::InvalidArgument(
        fmt::format("unknown '{}'; `tandem list` takes nothing but --help", extra[0]));
  }
  if (fabrics->parsed()) {
    const std::vector<std::string> extra = fabrics->remaining();
    if (extra.empty()) return Request(FabricsRequest{});
    return Status::InvalidArgument(
        fmt::format("unknown '{}'; `tandem fabrics` takes nothing but --help", extra[0]));
  }
  if (simulate.app->parsed()) {
    if (Status status = simulate.Apply(); !status.ok()) return status;
    return Request(std::move(simulate.request));
  }
  if (fit.app->parsed()) {
    if (Status status = fit.Apply(); !status.ok()) return status;
    return Request(std::move(fit.request));
  }
  if (memserver.app->parsed()) {
    if (Status status = memserver.Apply(); !status.ok()) return status;
    return Request(std::move(memserver.request));
  }
  if (!run->parsed()) {
    return Status::InvalidArgument(
        "a command is missing; valid are run, simulate, list, fabrics, fit-fabric, memserver, "
        "--help, --version");
  }
  if (const std::vector<std::string> extra = run->remaining(); !extra.empty()) {
    if (extra[0].starts_with("-")) {
      return Status::InvalidArgument(
          fmt::format("'{}' must follow the workload; valid workloads are {}", extra[0],
                      WorkloadNames(syntaxes)));
    }
    return Status::InvalidArgument(
        fmt::format("unknown workload '{}'; valid are {}", extra[0], WorkloadNames(syntaxes)));
  }
  for (const auto& syntax : syntaxes) {
    if (!syntax->app->parsed()) continue;
    if (Status status = syntax->Apply(); !status.ok()) return status;
    return Request(std::move(syntax->request));
  }
  return Status::InvalidArgument(
      fmt::format("a workload is missing; valid are {}", WorkloadNames(syntaxes)));
}

}  // namespace tandem::tools
