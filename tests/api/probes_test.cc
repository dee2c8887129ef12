#include "runtime/base/probes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <set>
#include <string>

namespace tandem {
namespace {

// The probes of this very program, as perf and bpftrace would find them.
std::set<std::string> ProbesOfThisProgram() {
  std::set<std::string> names;
  std::FILE* notes = popen("readelf --notes --wide /proc/$PPID/exe 2>&1", "r");
  char line[512];
  bool ours = false;
  while (std::fgets(line, sizeof line, notes) != nullptr) {
    const std::string text(line);
    if (text.find("Provider: ") != std::string::npos) {
      ours = text.find("Provider: tandem\n") != std::string::npos;
    }
    const size_t name = text.find("Name: ");
    if (ours && name != std::string::npos)
      names.insert(text.substr(name + 6, text.size() - name - 7));
  }
  pclose(notes);
  return names;
}

TEST(Probes, AreInTheProgram) {
  if (!TANDEM_HAS_PROBES) GTEST_SKIP() << "built without <sys/sdt.h>";
  EXPECT_THAT(ProbesOfThisProgram(), ::testing::IsSupersetOf({"fetch_start", "fetch_done",
                                                              "evict_batch", "phase", "cycle"}));
}

}  // namespace
}  // namespace tandem
