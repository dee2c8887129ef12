// Workload: a program on the managed heap that can be run, timed and compared with itself.
//
// Its life, driven by the command or a test, all on one thread:
//
//   SetScale()      presets; then options().Set() for what the user asked for
//   Prepare()       outside of any heap: checks options, reads input
//   Execute()       on a heap: build, then measure; may be called again with another heap
//   WriteOutput()   writes what options ask to be written, after the run that counts
//
// Invariants:
//   1. The checksum depends on options and input only: not on the heap, how much of it is local,
//      the collector, or how threads happened to be scheduled.
//   2. Between two calls a workload holds no reference into a heap.
//   3. A full heap is a ResourceExhausted status, never a crash.
//
// docs/workloads.md shows how to write one.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "tandem/status.h"
#include "workloads/object_bytes.h"
#include "workloads/options.h"
#include "workloads/session.h"

namespace tandem::workloads {

// How much work: tiny for tests (well under a second), small for a quick look, default for a
// result worth seeing.
enum class Scale { kTiny, kSmall, kDefault };

class Workload {
 public:
  virtual ~Workload() = default;
  Workload(const Workload&) = delete;
  Workload& operator=(const Workload&) = delete;

  const std::string& name() const { return name_; }
  const std::string& summary() const { return summary_; }
  Options& options() { return options_; }

  // Sets every option that decides about size to the preset.
  virtual void SetScale(Scale scale) = 0;

  virtual Status Prepare(Progress& progress) = 0;

  // After Prepare(): about how many bytes of objects are live at once, at most (ObjectBytes). The
  // default heap is twice that.
  virtual uint64_t LiveBytes() const = 0;

  // After Prepare(): a hash of what was read; 0 if nothing was.
  virtual uint64_t InputHash() const { return 0; }

  // Returns the checksum. Times its parts with Phase, `build` and `measured` at least.
  virtual StatusOr<std::string> Execute(Session& session) = 0;

  virtual Status WriteOutput() { return Status::Ok(); }

 protected:
  Workload(std::string name, std::string summary, uint64_t threads)
      : threads_(threads), name_(std::move(name)), summary_(std::move(summary)) {
    options_.AddCount("threads", "Threads of the application", &threads_, 1, 256);
    options_.AddCount("seed", "Seed of everything that is random", &seed_, 0, UINT64_MAX);
  }

  // What to return when an allocation returned null.
  static Status HeapFull(std::string_view doing) {
    return Status::ResourceExhausted("the heap is full while " + std::string(doing));
  }

  uint64_t threads_;
  uint64_t seed_ = 1;

 private:
  const std::string name_;
  const std::string summary_;
  Options options_;
};

}  // namespace tandem::workloads
