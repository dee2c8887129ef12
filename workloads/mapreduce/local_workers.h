// LocalWorkers: a link to workers that are threads of this process, attached to the master's heap.
#pragma once

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "workloads/mapreduce/task_runner.h"

namespace tandem::workloads::mapreduce {

class LocalWorkers final : public WorkerLink {
 public:
  // Starts up to `threads` threads; fewer if the system has no more, but at least one. `mutator` is
  // the master's; `state` must outlive the workers.
  static StatusOr<std::unique_ptr<LocalWorkers>> Start(Mutator& mutator, const JobState& state,
                                                       uint64_t threads);
  // Waits for what the workers are at.
  ~LocalWorkers() override;

  size_t workers() const override { return threads_.size(); }
  void Assign(size_t worker, const TaskMessage& task) override;
  TaskReport Receive() override;

 private:
  LocalWorkers(Mutator& mutator, const JobState& state) : mutator_(mutator), state_(state) {}
  void Work(size_t worker);
  std::optional<TaskMessage> NextTask(Mutator& own, size_t worker);

  Mutator& mutator_;
  const JobState& state_;

  // No thread touches the heap while it holds this, and none waits for it but in a BlockingScope.
  std::mutex mutex_;
  std::condition_variable assigned_;
  std::condition_variable reported_;
  std::vector<std::optional<TaskMessage>> inbox_;  // by worker
  std::deque<TaskReport> reports_;
  bool stop_ = false;

  std::vector<std::thread> threads_;
};

}  // namespace tandem::workloads::mapreduce
