#include "workloads/mapreduce/local_workers.h"

#include <pthread.h>

#include <string>
#include <system_error>
#include <utility>

namespace tandem::workloads::mapreduce {

StatusOr<std::unique_ptr<LocalWorkers>> LocalWorkers::Start(Mutator& mutator, const JobState& state,
                                                            uint64_t threads) {
  std::unique_ptr<LocalWorkers> link(new LocalWorkers(mutator, state));
  link->inbox_.resize(threads);
  BlockingScope blocked(mutator);
  for (uint64_t i = 0; i < threads; ++i) {
    try {
      link->threads_.emplace_back([raw = link.get(), i] { raw->Work(i); });
    } catch (const std::system_error& error) {
      if (i == 0) return Status::Unavailable("cannot start a thread: " + std::string(error.what()));
      break;
    }
  }
  return link;
}

LocalWorkers::~LocalWorkers() {
  BlockingScope blocked(mutator_);
  {
    std::lock_guard lock(mutex_);
    stop_ = true;
  }
  assigned_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void LocalWorkers::Assign(size_t worker, const TaskMessage& task) {
  BlockingScope blocked(mutator_);
  {
    std::lock_guard lock(mutex_);
    inbox_[worker] = task;
  }
  assigned_.notify_all();
}

TaskReport LocalWorkers::Receive() {
  BlockingScope blocked(mutator_);
  std::unique_lock lock(mutex_);
  reported_.wait(lock, [this] { return !reports_.empty(); });
  TaskReport report = std::move(reports_.front());
  reports_.pop_front();
  return report;
}

void LocalWorkers::Work(size_t worker) {
  pthread_setname_np(pthread_self(), "mutator");  // for perf and traces
  Mutator own(mutator_.heap());
  while (const std::optional<TaskMessage> task = NextTask(own, worker)) {
    TaskReport report = RunTask(own, state_, *task);
    report.worker = worker;
    BlockingScope blocked(own);
    {
      std::lock_guard lock(mutex_);
      reports_.push_back(std::move(report));
    }
    reported_.notify_one();
  }
}

std::optional<TaskMessage> LocalWorkers::NextTask(Mutator& own, size_t worker) {
  BlockingScope blocked(own);
  std::unique_lock lock(mutex_);
  assigned_.wait(lock, [&] { return stop_ || inbox_[worker].has_value(); });
  if (stop_) return std::nullopt;
  return std::exchange(inbox_[worker], std::nullopt);
}

}  // namespace tandem::workloads::mapreduce
