#include "workloads/tasks.h"

#include <pthread.h>

#include <atomic>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

namespace tandem::workloads {

namespace {

// What the threads of one RunTasks share: which task is next, and what went wrong.
class TaskList {
 public:
  explicit TaskList(size_t count) : count_(count) {}

  // False when there is nothing left to do. Relaxed: the order of tasks means nothing.
  bool Take(size_t* task) {
    *task = next_.fetch_add(1, std::memory_order_relaxed);
    return *task < count_;
  }

  void Fail(Status status) {
    next_.store(count_, std::memory_order_relaxed);
    std::lock_guard lock(mutex_);
    if (first_failure_.ok()) first_failure_ = std::move(status);
  }

  // Once all threads are joined.
  Status Outcome() const { return first_failure_; }

 private:
  const size_t count_;
  std::atomic<size_t> next_{0};
  std::mutex mutex_;
  Status first_failure_;
};

}  // namespace

Status RunTasks(Mutator& mutator, uint64_t threads, size_t tasks,
                const std::function<Status(Mutator&, size_t)>& work) {
  TaskList list(tasks);
  Heap& heap = mutator.heap();
  const auto worker = [&] {
    pthread_setname_np(pthread_self(), "mutator");  // for perf and traces
    Mutator own(heap);
    size_t task;
    while (list.Take(&task)) {
      if (Status status = work(own, task); !status.ok()) list.Fail(std::move(status));
    }
  };
  BlockingScope blocked(mutator);
  std::vector<std::thread> workers;
  for (uint64_t i = 0; i < threads && i < tasks; ++i) {
    try {
      workers.emplace_back(worker);
    } catch (const std::system_error& error) {
      list.Fail(Status::Unavailable("cannot start a thread: " + std::string(error.what())));
      break;
    }
  }
  for (std::thread& thread : workers) thread.join();
  return list.Outcome();
}

}  // namespace tandem::workloads
