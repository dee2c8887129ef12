#include "tools/provenance.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/utsname.h>

#include <ctime>
#include <fstream>

#include "tools/build_info.h"

namespace tandem::tools {

namespace {

std::string CpuModel() {
  std::ifstream file("/proc/cpuinfo");
  std::string line;
  while (std::getline(file, line)) {
    const size_t colon = line.find(": ");
    if (line.starts_with("model name") && colon != std::string::npos) return line.substr(colon + 2);
  }
  return "unknown";
}

std::string Kernel() {
  utsname name{};
  return uname(&name) == 0 ? fmt::format("{} {}", name.sysname, name.release) : "unknown";
}

}  // namespace

std::string VersionLine() { return "tandem " TANDEM_VERSION " (commit " TANDEM_COMMIT ")"; }

std::map<std::string, std::string> DescribeProvenance() {
  return {{"version", TANDEM_VERSION},
          {"commit", TANDEM_COMMIT},
          {"compiler", TANDEM_COMPILER},
          {"build_type", TANDEM_BUILD_TYPE},
          {"kernel", Kernel()},
          {"cpu", CpuModel()},
          {"date", fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time(nullptr)))}};
}

unsigned CpuCount() {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) != 0) return 0;
  return static_cast<unsigned>(CPU_COUNT(&set));
}

std::string BinaryId() {
  struct stat info {};
  if (stat("/proc/self/exe", &info) != 0) return VersionLine();
  return fmt::format("{} {}.{:09}", info.st_size, info.st_mtim.tv_sec, info.st_mtim.tv_nsec);
}

}  // namespace tandem::tools
