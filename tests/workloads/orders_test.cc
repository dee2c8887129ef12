// The engines' workloads give the same answer with all of their footprint local and with 13 % of
// it, under every order of tracing.
#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <tuple>

#include "tests/workloads/harness.h"
#include "workloads/random.h"

namespace tandem::workloads {
namespace {

struct Case {
  const char* workload;
  bool reads_text;
  OptionMap options;
};

void PrintTo(const Case& which, std::ostream* out) { *out << which.workload; }

class OrdersTest : public ::testing::TestWithParam<Case> {};

TEST_P(OrdersTest, SameAnswerUnderEveryOrder) {
  OptionMap options = GetParam().options;
  ScratchFolder scratch;
  if (GetParam().reads_text) {
    Random random(1);
    std::string text;
    while (text.size() < 160 << 10) text += fmt::format("the {:b}\nx ", random.Below(512));
    for (char& c : text) c = c == '0' ? 'a' : c == '1' ? 'B' : c;
    WriteAll(scratch.File("text"), text);
    options["input"] = {scratch.File("text")};
  }
  StatusOr<std::unique_ptr<Workload>> workload = PrepareTiny(GetParam().workload, options);
  ASSERT_TRUE(workload.ok()) << workload.status().message();
  HeapOptions heap = DefaultHeap(**workload);
  Progress progress;
  const StatusOr<RunResult> all_local = RunOnHeap(**workload, heap, progress);
  ASSERT_TRUE(all_local.ok()) << all_local.status().message();
  const uint64_t footprint = all_local.value().memory.footprint_peak_bytes;
  ASSERT_GE(footprint * 13 / 100, HeapOptions::kMinLocalBytes);
  for (const uint64_t percent : {100, 13}) {
    heap.local_bytes = footprint * percent / 100;
    for (const Component& order : ListComponents().orders) {
      SCOPED_TRACE(fmt::format("{} {} %", order.name, percent));
      heap.order = order.name;
      const StatusOr<RunResult> result = RunOnHeap(**workload, heap, progress);
      ASSERT_TRUE(result.ok()) << result.status().message();
      EXPECT_EQ(result.value().checksum, all_local.value().checksum);
      EXPECT_LE(result.value().memory.local_peak_bytes, heap.local_bytes);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Tiny, OrdersTest,
                         ::testing::Values(Case{"wordcount-combined", true, {}},
                                           Case{"inverted-index", true, {}}, Case{"grep", true, {}},
                                           Case{"sort", true, {}}, Case{"kmeans", false, {}},
                                           Case{"linear-regression", false, {{"rounds", {"5"}}}},
                                           Case{"param-server", false, {}},
                                           Case{"tree-search", false, {}},
                                           Case{"pipeline", false, {{"block-length", {"4096"}}}}),
                         [](const ::testing::TestParamInfo<Case>& param) {
                           std::string name = param.param.workload;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

}  // namespace
}  // namespace tandem::workloads
