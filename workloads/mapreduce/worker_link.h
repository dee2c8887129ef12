// WorkerLink: what the master of a job and its workers say to each other.
//
// Messages are plain values: no reference into a heap, no pointer, nothing that could not go over a
// wire. What a job *is* (its functions, its input, its shuffle) the workers know beforehand.
//
// One thread, the master's, uses a link. A worker has at most one task at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "tandem/status.h"
#include "workloads/mapreduce/job.h"

namespace tandem::workloads::mapreduce {

enum class TaskKind : uint8_t { kMap, kReduce };

struct TaskMessage {
  TaskKind kind;
  uint32_t task;  // of a map task the split, of a reduce task the partition
};

// A record, or a key of a reduce task, that the user's function failed on every time.
struct Skipped {
  TaskKind kind;
  uint32_t task;
  std::string what;   // which: "record 17", "key 'abc'"
  std::string error;  // what was thrown
};

struct TaskReport {
  size_t worker;
  TaskMessage task;
  Status status;  // not OK: the job cannot go on
  Counters counters;
  std::vector<Skipped> skipped;  // the first kMaxNamed of the task; counters have all

  static constexpr size_t kMaxNamed = 100;
};

class WorkerLink {
 public:
  virtual ~WorkerLink() = default;

  // How many there are; they are called 0, 1, ... At least 1.
  virtual size_t workers() const = 0;

  // Gives a task to a worker that has none.
  virtual void Assign(size_t worker, const TaskMessage& task) = 0;

  // Waits for a task to be over.
  virtual TaskReport Receive() = 0;
};

}  // namespace tandem::workloads::mapreduce
