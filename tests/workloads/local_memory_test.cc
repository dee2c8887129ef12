// Every workload gives the same answer with little local memory as with everything local, on
// both roads of the pager, and in every order of tracing.
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <string>
#include <tuple>
#include <utility>

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

const Case kCases[] = {
    {"wordcount", "wordcount", {}},
    {"binary_trees", "binary-trees", {}},
    {"random_chase", "pointer-chase", {{"pattern", {"random"}}, {"threads", {"2"}}}},
    {"sequential_chase", "pointer-chase", {{"pattern", {"sequential"}}}},
    {"linked_lists", "linked-lists", {{"threads", {"2"}}}},
    {"kv_inserts", "kv", {{"mix", {"insert-update-read"}}, {"threads", {"2"}}}},
    {"kv_scans", "kv", {{"mix", {"e"}}, {"distribution", {"uniform"}}, {"operations", {"500"}}}},
    {"pagerank", "graph", {{"rounds", {"4"}}}},
    {"triangles",
     "graph",
     {{"algorithm", {"triangles"}}, {"layout", {"random"}}, {"vertices", {"512"}}}},
    {"degree", "graph", {{"algorithm", {"degree"}}}},
    {"bfs", "graph", {{"algorithm", {"bfs"}}}},
    {"closure", "graph", {{"algorithm", {"closure"}}}},
    {"gcbench", "gcbench", {{"threads", {"2"}}}},
    {"splay", "splay", {}},
    {"cache", "cache", {{"threads", {"2"}}}},
    {"dataframe", "dataframe", {}},
};

// A tiny workload, prepared, and what it comes to with everything local.
class AllLocal {
 public:
  explicit AllLocal(const Case& which) : options_(which.options) {
    if (which.workload == std::string("wordcount")) MakeText();
    StatusOr<std::unique_ptr<Workload>> workload = PrepareTiny(which.workload, options_);
    if (!workload.ok()) {
      ADD_FAILURE() << workload.status().message();
      return;
    }
    workload_ = std::move(*workload);
    heap_ = DefaultHeap(*workload_);
    Progress progress;
    StatusOr<RunResult> result = RunOnHeap(*workload_, heap_, progress);
    if (!result.ok()) {
      ADD_FAILURE() << result.status().message();
      return;
    }
    result_ = std::move(*result);
  }

  // Runs it again, with that share of its footprint local; the answer must be the same.
  void ExpectSameWith(int percent, HeapOptions heap) const {
    if (workload_ == nullptr) return;  // said so already
    heap.heap_bytes = heap_.heap_bytes;
    heap.local_bytes =
        std::max(result_.memory.footprint_peak_bytes * static_cast<uint64_t>(percent) / 100,
                 HeapOptions::kMinLocalBytes);
    Progress progress;
    const StatusOr<RunResult> result = RunOnHeap(*workload_, heap, progress);
    ASSERT_TRUE(result.ok()) << result.status().message();
    EXPECT_EQ(result.value().checksum, result_.checksum);
    EXPECT_LE(result.value().memory.local_peak_bytes, heap.local_bytes);
  }

 private:
  void MakeText() {
    Random random(1);
    std::string text;
    while (text.size() < 256 << 10) text += fmt::format("{:b} x", random.Below(512));
    for (char& c : text) c = c == '0' ? 'a' : c == '1' ? 'B' : c;
    WriteAll(scratch_.File("text"), text);
    options_["input"] = {scratch_.File("text")};
  }

  ScratchFolder scratch_;
  OptionMap options_;
  std::unique_ptr<Workload> workload_;
  HeapOptions heap_;
  RunResult result_;
};

class LocalMemoryTest : public ::testing::TestWithParam<std::tuple<Case, int, bool>> {};

TEST_P(LocalMemoryTest, SameAnswerAsAllLocalWithinTheLimit) {
  const auto& [which, percent, use_move] = GetParam();
  HeapOptions heap;
  heap.use_move = use_move;
  AllLocal(which).ExpectSameWith(percent, heap);
}

class EveryOrderTest : public ::testing::TestWithParam<Case> {};

TEST_P(EveryOrderTest, GivesTheSameAnswer) {
  const AllLocal all_local(GetParam());
  for (const Component& order : ListComponents().orders) {
    SCOPED_TRACE(order.name);
    HeapOptions heap;
    heap.order = order.name;
    heap.collect_every = 20'000;  // or some would need no collection at all
    for (const int percent : {100, 13}) all_local.ExpectSameWith(percent, heap);
  }
}

INSTANTIATE_TEST_SUITE_P(Tiny, LocalMemoryTest,
                         ::testing::Combine(::testing::ValuesIn(kCases),
                                            ::testing::Values(50, 25, 13), ::testing::Bool()),
                         [](const ::testing::TestParamInfo<LocalMemoryTest::ParamType>& param) {
                           return fmt::format("{}_{}_percent_{}", std::get<0>(param.param).name,
                                              std::get<1>(param.param),
                                              std::get<2>(param.param) ? "move" : "copy");
                         });

INSTANTIATE_TEST_SUITE_P(Tiny, EveryOrderTest, ::testing::ValuesIn(kCases),
                         [](const ::testing::TestParamInfo<Case>& param) {
                           return std::string(param.param.name);
                         });

}  // namespace
}  // namespace tandem::workloads
