// docs/workloads.md shows this workload: it must work, and be what the page shows.
#include "tests/workloads/example_workload.cc"  // NOLINT: it is a whole program to its reader

#include <filesystem>
#include <string>

#include "tests/workloads/harness.h"

namespace tandem::workloads {
namespace {

TEST(ExampleWorkloadTest, ItemsComeOutInOrder) {
  const std::unique_ptr<Workload> queue = MakeQueue();
  queue->SetScale(Scale::kTiny);
  Progress progress;
  StatusOr<RunResult> result = RunOnHeap(*queue, DefaultHeap(*queue), progress);
  ASSERT_TRUE(result.ok()) << result.status().message();
  uint64_t expected = 0;
  for (uint64_t number = 0; number < 40'000; ++number) expected = expected * 31 + number;
  EXPECT_EQ(result->checksum, std::to_string(expected));
}

TEST(ExampleWorkloadTest, IsTheOneInTheDocumentation) {
  const std::filesystem::path root = TANDEM_SOURCE_DIR;
  const std::string page = ReadAll(root / "docs/workloads.md");
  const std::string example = ReadAll(root / "tests/workloads/example_workload.cc");
  EXPECT_NE(page.find("```cpp\n" + example + "```\n"), std::string::npos)
      << "docs/workloads.md does not quote tests/workloads/example_workload.cc as it is";
}

}  // namespace
}  // namespace tandem::workloads
