// The command line: turns arguments into something to do. No effects. Main thread.
#pragma once

#include <string>
#include <variant>

#include "tandem/status.h"
#include "tools/fit_command.h"
#include "tools/memserver_command.h"
#include "tools/run_request.h"
#include "tools/simulate_request.h"

namespace tandem::tools {

struct ShowRequest {
  std::string text;  // help or version
};
struct ListRequest {};
struct FabricsRequest {};

using Request = std::variant<ShowRequest, ListRequest, FabricsRequest, FitRequest, MemserverRequest,
                             RunRequest, SimulateRequest>;

// The error is one line that says what is valid.
StatusOr<Request> ParseCommandLine(int argc, char** argv);

}  // namespace tandem::tools
