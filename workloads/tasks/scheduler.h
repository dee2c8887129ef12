// Scheduler: runs tasks on threads of this process, which steal from each other.
//
// There are `threads` places; who runs a task holds one. A task that waits for another runs it
// itself if nobody has begun it; otherwise it gives its place to a spare thread while it sleeps. So
// tasks that wait for each other's results never run out of threads: there are as many as places
// and as tasks asleep at once. (Two tasks that wait for each other in a circle wait for ever.)
//
// A thread takes its own newest task first, and the oldest one of others. Sleeping threads are in a
// BlockingScope, so that the collector does not wait for them.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <thread>
#include <vector>

#include "tandem/mutator.h"
#include "workloads/tasks/task.h"

namespace tandem::workloads::tasks {

class Scheduler final : public Executor {
 public:
  using Timeout = std::optional<std::chrono::nanoseconds>;  // none: for ever

  // `driver` is the mutator of the thread that makes and destroys it, which runs no tasks.
  Scheduler(Mutator& driver, uint64_t threads);
  // Waits for all tasks that have been begun.
  ~Scheduler() override;
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;

  void Enqueue(std::shared_ptr<Task> task) override;
  void OnBegun() override { unfinished_.fetch_add(1, std::memory_order_relaxed); }
  void OnFinished() override;

  // Waits until `count` of the tasks are done or the time is over. `context` is of this thread.
  void Await(Context& context, std::span<const Task::Handle> tasks, size_t count, Timeout timeout);

  // How many tasks were taken from another thread's queue, and the most threads there were.
  uint64_t stolen() const { return stolen_.load(std::memory_order_relaxed); }
  size_t threads_started();

 private:
  // The queues are few and short, so that a lock each does.
  struct Queue {
    std::mutex mutex;
    std::deque<std::shared_ptr<Task>> tasks;
  };

  void StartThread();  // places_mutex_ is held
  void Work(size_t index);
  std::shared_ptr<Task> Find(size_t own);
  std::shared_ptr<Task> Pop(Queue& queue, bool newest);
  bool Park(Mutator& mutator);
  void Idle(Mutator& mutator);
  void WakeOne();
  void LeavePlace();
  void TakePlace();
  bool RunWhatItWaitsFor(Context& context, const Task::Handle& task);

  Mutator& driver_;
  const uint64_t places_;
  std::vector<Queue> queues_;  // a place's each, and last the driver's
  std::atomic<size_t> queued_{0};
  std::atomic<size_t> unfinished_{0};
  std::atomic<uint64_t> stolen_{0};

  std::mutex sleep_mutex_;
  std::condition_variable work_;
  std::condition_variable drained_;
  std::atomic<size_t> sleeping_{0};
  std::atomic<bool> stop_{false};

  std::mutex places_mutex_;
  std::condition_variable spare_wanted_;
  std::atomic<uint64_t> active_{0};  // threads that hold a place; more than places only briefly
  size_t parked_ = 0;
  size_t wanted_ = 0;  // spares that have been given a place and not yet woken up
  std::vector<std::thread> threads_;
};

}  // namespace tandem::workloads::tasks
