#include <gmock/gmock.h>

#include <cmath>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "tests/workloads/harness.h"
#include "workloads/samples.h"

namespace tandem::workloads {
namespace {

// Solutions: OEIS A000170. Positions of the 8-queens search tree: 2057 with the empty board.
TEST(TaskWorkloadsTest, TreeSearchFindsAllSolutions) {
  EXPECT_EQ(RunTiny("tree-search", {{"queens", {"1"}}}).checksum, "1 of 2");
  EXPECT_EQ(RunTiny("tree-search", {{"queens", {"3"}}}).checksum.substr(0, 2), "0 ");
  EXPECT_EQ(RunTiny("tree-search", {{"queens", {"8"}}}).checksum, "92 of 2057");
  EXPECT_EQ(RunTiny("tree-search", {{"queens", {"10"}}}).checksum.substr(0, 4), "724 ");
}

TEST(TaskWorkloadsTest, TreeSearchDoesNotDependOnThreadsOrTasks) {
  for (const char* threads : {"1", "2", "5"}) {
    for (const char* rows : {"0", "3", "16"}) {
      EXPECT_EQ(
          RunTiny("tree-search", {{"queens", {"8"}}, {"threads", {threads}}, {"task-rows", {rows}}})
              .checksum,
          "92 of 2057");
    }
  }
}

TEST(TaskWorkloadsTest, PipelineAddsUpSquares) {
  for (const char* threads : {"1", "2", "5"}) {
    for (const char* window : {"1", "7", "1000"}) {
      const std::string checksum = RunTiny("pipeline", {{"blocks", {"50"}},
                                                        {"block-length", {"100"}},
                                                        {"threads", {threads}},
                                                        {"window", {window}}})
                                       .checksum;
      // n (n + 1) (2 n + 1) / 6 for n = 5000.
      EXPECT_EQ(checksum.substr(0, checksum.find(' ')), "41679167500");
    }
  }
}

std::vector<double> Weights(const char* workload, OptionMap options, std::string* checksum) {
  ScratchFolder scratch;
  options["output"] = {scratch.File("weights")};
  *checksum = RunTiny(workload, options).checksum;
  std::istringstream text(ReadAll(options["output"][0]));
  std::vector<double> weights;
  for (double number; text >> number;) weights.push_back(number);
  return weights;
}

// Which in turn is tested to converge to the closed form.
TEST(TaskWorkloadsTest, ParamServerAgreesWithLinearRegression) {
  const OptionMap options = {
      {"samples", {"1000"}}, {"dimensions", {"5"}}, {"rounds", {"40"}}, {"seed", {"3"}}};
  std::string checksum;
  const std::vector<double> expected = Weights("linear-regression", options, &checksum);
  std::string first;
  for (const char* threads : {"1", "2", "5"}) {
    for (const char* slices : {"1", "4", "100"}) {
      OptionMap more = options;
      more["threads"] = {threads};
      more["slices"] = {slices};
      const std::vector<double> weights = Weights("param-server", more, &checksum);
      if (first.empty()) first = checksum;
      EXPECT_EQ(checksum, first);
      ASSERT_EQ(weights.size(), expected.size());
      for (size_t i = 0; i < weights.size(); ++i) {
        EXPECT_NEAR(weights[i], expected[i], 1e-9);
        EXPECT_NEAR(weights[i], TrueWeight(3, i), 0.03);
      }
    }
  }
}

TEST(TaskWorkloadsTest, AHeapThatIsTooSmallIsAnErrorAndNotACrash) {
#ifdef TANDEM_SANITIZER  // tree-search collects for minutes before it gives up
  const std::vector<const char*> names = {"param-server", "pipeline"};
#else
  const std::vector<const char*> names = {"tree-search", "param-server", "pipeline"};
#endif
  for (const char* name : names) {
    StatusOr<std::unique_ptr<Workload>> workload = PrepareTiny(name, {});
    ASSERT_TRUE(workload.ok());
    (*workload)->SetScale(Scale::kSmall);
    // A block that does not fit: otherwise it hangs on the collector's pace whether they do.
    if (std::string_view(name) == "pipeline") {
      ASSERT_TRUE((*workload)->options().Set("block-length", {"262144"}).ok());
    }
    Progress progress;
    ASSERT_TRUE((*workload)->Prepare(progress).ok());
    HeapOptions options;
    options.heap_bytes = 1 << 20;
    EXPECT_EQ(RunOnHeap(**workload, options, progress).status().code(),
              StatusCode::kResourceExhausted)
        << name;
  }
}

}  // namespace
}  // namespace tandem::workloads
