// Runs workloads in tests, the way the command does.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "workloads/registry.h"
#include "workloads/run_on_heap.h"

namespace tandem::workloads {

using OptionMap = std::map<std::string, std::vector<std::string>>;

// A workload of tiny scale with the given options, prepared.
inline StatusOr<std::unique_ptr<Workload>> PrepareTiny(std::string_view name,
                                                       const OptionMap& options) {
  std::unique_ptr<Workload> workload = MakeWorkload(name);
  if (workload == nullptr) return Status::InvalidArgument("no such workload");
  workload->SetScale(Scale::kTiny);
  for (const auto& [option, values] : options) {
    if (Status status = workload->options().Set(option, values); !status.ok()) return status;
  }
  Progress progress;
  if (Status status = workload->Prepare(progress); !status.ok()) return status;
  return workload;
}

// Heap options as the command's defaults are, with everything local.
inline HeapOptions DefaultHeap(const Workload& workload) {
  HeapOptions options;
  options.heap_bytes = std::max<uint64_t>(2 * workload.LiveBytes(), uint64_t{8} << 20);
  return options;
}

// Runs a tiny workload on a heap of default size, all local. Fails the test if it fails.
inline RunResult RunTiny(std::string_view name, const OptionMap& options) {
  StatusOr<std::unique_ptr<Workload>> workload = PrepareTiny(name, options);
  if (!workload.ok()) {
    ADD_FAILURE() << workload.status().message();
    return {};
  }
  Progress progress;
  StatusOr<RunResult> result = RunOnHeap(**workload, DefaultHeap(**workload), progress);
  if (!result.ok()) {
    ADD_FAILURE() << result.status().message();
    return {};
  }
  if (Status status = (*workload)->WriteOutput(); !status.ok()) {
    ADD_FAILURE() << status.message();
  }
  return std::move(*result);
}

inline std::string ReadAll(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file) << path;
  return {std::istreambuf_iterator<char>(file), {}};
}

inline void WriteAll(const std::filesystem::path& path, std::string_view bytes) {
  std::ofstream file(path, std::ios::binary);
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  EXPECT_TRUE(file.flush()) << path;
}

// A folder of the test's own, gone when the test is over.
class ScratchFolder {
 public:
  ScratchFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "tandem-test-XXXXXX").string();
    path_ = mkdtemp(name.data());
  }
  ~ScratchFolder() { std::filesystem::remove_all(path_); }
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;

  std::string File(const char* name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

}  // namespace tandem::workloads
