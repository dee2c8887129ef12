// Session: one execution of a workload on a heap: its main mutator, its phases and their times.
//
// Made by RunOnHeap for the thread that executes the workload, and used by that thread; worker
// threads report through progress() only.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>

#include "tandem/mutator.h"
#include "tandem/timeline.h"
#include "workloads/progress.h"

namespace tandem::workloads {

class Session {
 public:
  Session(Mutator& mutator, Progress& progress) : mutator_(mutator), progress_(progress) {}
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  Mutator& mutator() { return mutator_; }
  Heap& heap() { return mutator_.heap(); }
  Progress& progress() { return progress_; }

  // Wall time by phase, of the phases that have ended.
  const std::map<std::string, double>& seconds() const { return seconds_; }

  // What the workload has counted or measured itself; reported beside the heap's counters. A name
  // begins with the workload's, or with `app.` (Count).
  void Count(const std::string& name, uint64_t n) { counters_["app." + name] += n; }
  std::map<std::string, uint64_t>& counters() { return counters_; }

 private:
  friend class Phase;
  Mutator& mutator_;
  Progress& progress_;
  std::map<std::string, double> seconds_;
  std::map<std::string, uint64_t> counters_;
};

// A phase lasts as long as this object. Phases may nest: `measured` around `map` and `reduce`.
// `build` and `measured` are known to all who read results; other names are the workload's own.
class Phase {
 public:
  // `name` must be a literal; `total_units` is what progress will count to, 0 if unknown.
  Phase(Session& session, const char* name, uint64_t total_units = 0)
      : session_(session), name_(name), start_(std::chrono::steady_clock::now()), traced_(name) {
    session_.progress_.Begin(name, total_units);
  }
  ~Phase() {
    const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - start_;
    session_.seconds_[name_] += spent.count();
  }
  Phase(const Phase&) = delete;
  Phase& operator=(const Phase&) = delete;

 private:
  Session& session_;
  const char* name_;
  std::chrono::steady_clock::time_point start_;
  TimelinePhase traced_;
};

}  // namespace tandem::workloads
