// Provenance: where a result comes from: build, machine, time. Any thread.
#pragma once

#include <map>
#include <string>

namespace tandem::tools {

// Such as "tandem 0.1.0 (commit 0123456789ab)".
std::string VersionLine();

// By the names of docs/command.md. Values that cannot be had are "unknown".
std::map<std::string, std::string> DescribeProvenance();

unsigned CpuCount();

// Changes whenever the command is built anew.
std::string BinaryId();

}  // namespace tandem::tools
