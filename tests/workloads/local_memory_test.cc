// Every workload gives the same answer with little local memory as with everything local, on
// both roads of the pager.
#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <tuple>

#include "tests/workloads/harness.h"
#include "workloads/random.h"

namespace tandem::workloads {
namespace {

struct Case {
  const char* name;
  const char* workload;
  OptionMap options;
};

void PrintTo(const Case& which, std::ostream* out) { *out << which.name; }

class LocalMemoryTest : public ::testing::TestWithParam<std::tuple<Case, int, bool>> {};

TEST_P(LocalMemoryTest, SameAnswerAsAllLocalWithinTheLimit) {
  const auto& [which, percent, use_move] = GetParam();
  OptionMap options = which.options;
  ScratchFolder scratch;
  if (which.workload == std::string("wordcount")) {
    Random random(1);
    std::string text;
    while (text.size() < 256 << 10) text += fmt::format("{:b} x", random.Below(512));
    for (char& c : text) c = c == '0' ? 'a' : c == '1' ? 'B' : c;
    WriteAll(scratch.File("text"), text);
    options["input"] = {scratch.File("text")};
  }
  StatusOr<std::unique_ptr<Workload>> workload = PrepareTiny(which.workload, options);
  ASSERT_TRUE(workload.ok()) << workload.status().message();
  HeapOptions heap = DefaultHeap(**workload);
  heap.use_move = use_move;
  Progress progress;
  const StatusOr<RunResult> all_local = RunOnHeap(**workload, heap, progress);
  ASSERT_TRUE(all_local.ok()) << all_local.status().message();

  heap.local_bytes =
      std::max(all_local.value().memory.footprint_peak_bytes * static_cast<uint64_t>(percent) / 100,
               HeapOptions::kMinLocalBytes);
  const StatusOr<RunResult> result = RunOnHeap(**workload, heap, progress);
  ASSERT_TRUE(result.ok()) << result.status().message();
  EXPECT_EQ(result.value().checksum, all_local.value().checksum);
  EXPECT_LE(result.value().memory.local_peak_bytes, heap.local_bytes);
}

INSTANTIATE_TEST_SUITE_P(
    Tiny, LocalMemoryTest,
    ::testing::Combine(
        ::testing::Values(
            Case{"wordcount", "wordcount", {}}, Case{"binary_trees", "binary-trees", {}},
            Case{"random_chase", "pointer-chase", {{"pattern", {"random"}}, {"threads", {"2"}}}},
            Case{"sequential_chase", "pointer-chase", {{"pattern", {"sequential"}}}},
            Case{"linked_lists", "linked-lists", {{"threads", {"2"}}}},
            Case{"kv_inserts", "kv", {{"mix", {"insert-update-read"}}, {"threads", {"2"}}}},
            Case{"kv_scans", "kv", {{"mix", {"e"}}, {"distribution", {"uniform"}}}}),
        ::testing::Values(50, 25, 13), ::testing::Bool()),
    [](const ::testing::TestParamInfo<LocalMemoryTest::ParamType>& param) {
      return fmt::format("{}_{}_percent_{}", std::get<0>(param.param).name,
                         std::get<1>(param.param), std::get<2>(param.param) ? "move" : "copy");
    });

}  // namespace
}  // namespace tandem::workloads
