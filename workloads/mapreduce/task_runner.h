// What a worker does with a task: runs the user's functions over a split or a partition.
//
// Any attached thread; several tasks of one kind may run at once.
#pragma once

#include "workloads/mapreduce/worker_link.h"

namespace tandem::workloads::mapreduce {

// One job on one heap: what all its workers know. Must outlive its tasks.
struct JobState {
  const Job& job;
  const Persistent<Shuffle>& shuffle;  // slot split * reducers + partition
  const Persistent<Runs>& outputs;     // by partition
};

// Everything of the report but its worker.
TaskReport RunTask(Mutator& mutator, const JobState& state, const TaskMessage& task);

}  // namespace tandem::workloads::mapreduce
