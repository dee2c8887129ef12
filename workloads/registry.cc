#include "workloads/registry.h"

namespace tandem::workloads {

// Each is in the file of its name, here or in the directory of its engine. To add one: declare its
// maker here, and list it below.
std::unique_ptr<Workload> MakeWordCount();
std::unique_ptr<Workload> MakeBinaryTrees();
std::unique_ptr<Workload> MakePointerChase();
std::unique_ptr<Workload> MakeLinkedLists();
std::unique_ptr<Workload> MakeKeyValueStore();
std::unique_ptr<Workload> MakeGraph();
std::unique_ptr<Workload> MakeGcBench();
std::unique_ptr<Workload> MakeSplay();
std::unique_ptr<Workload> MakeCache();
std::unique_ptr<Workload> MakeDataFrame();
std::unique_ptr<Workload> MakeCombinedWordCount();
std::unique_ptr<Workload> MakeInvertedIndex();
std::unique_ptr<Workload> MakeGrep();
std::unique_ptr<Workload> MakeSort();
std::unique_ptr<Workload> MakeKMeans();
std::unique_ptr<Workload> MakeLinearRegression();
std::unique_ptr<Workload> MakeParamServer();
std::unique_ptr<Workload> MakeTreeSearch();
std::unique_ptr<Workload> MakePipeline();

namespace {

constexpr std::unique_ptr<Workload> (*kMakers[])() = {
    MakeWordCount,
    MakeBinaryTrees,
    MakePointerChase,
    MakeLinkedLists,
    MakeKeyValueStore,
    MakeGraph,
    MakeGcBench,
    MakeSplay,
    MakeCache,
    MakeDataFrame,
    MakeCombinedWordCount,
    MakeInvertedIndex,
    MakeGrep,
    MakeSort,
    MakeKMeans,
    MakeLinearRegression,
    MakeParamServer,
    MakeTreeSearch,
    MakePipeline,
};

}  // namespace

std::vector<std::unique_ptr<Workload>> MakeAllWorkloads() {
  std::vector<std::unique_ptr<Workload>> all;
  for (const auto make : kMakers) all.push_back(make());
  return all;
}

std::unique_ptr<Workload> MakeWorkload(std::string_view name) {
  for (std::unique_ptr<Workload>& workload : MakeAllWorkloads()) {
    if (workload->name() == name) return std::move(workload);
  }
  return nullptr;
}

}  // namespace tandem::workloads
