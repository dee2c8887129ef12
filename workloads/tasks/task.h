// Task: one call that will be made, and what came of it. Future<T>: the handle of one.
//
//   waiting --> queued --> running --> done
//      \______ none of what it depends on is missing any more
//
// A task waits for what it depends on, then its executor has it, then whoever claims it first runs
// it, once. It is done with a managed object (or null), or with an error. Native memory, shared by
// its futures and by what depends on it; the result is a root until the last of these is gone.
//
// Any attached thread. No lock is held while the heap is touched.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <vector>

#include "tandem/persistent.h"
#include "workloads/any_value.h"

namespace tandem::workloads::tasks {

class Context;
class Task;

// What a task ended with instead of a result; whoever gets its result gets this, and so does every
// task that has it as an argument. A message, so that it could go over a wire.
class TaskError : public std::runtime_error {
 public:
  TaskError(const std::string& message, bool full) : std::runtime_error(message), heap_full(full) {}
  const bool heap_full;
};

// Told when something that it subscribed to is done.
class Dependent {
 public:
  virtual ~Dependent() = default;
  virtual void OnDone() = 0;
};

// Who runs tasks. One of this process; a later one may send them elsewhere.
class Executor {
 public:
  virtual ~Executor() = default;
  // The task is queued: it may be claimed and run.
  virtual void Enqueue(std::shared_ptr<Task> task) = 0;
  // Calls in pairs, around the life of each task.
  virtual void OnBegun() = 0;
  virtual void OnFinished() = 0;
};

class Task final : public Dependent, public std::enable_shared_from_this<Task> {
 public:
  using Body = std::function<AnyValue*(Context&)>;
  using Handle = std::shared_ptr<Task>;

  Task(Executor& executor, Heap& heap, Body body);
  ~Task() override;

  // Has it queued once all of `dependencies` are done, whether well or not. Once.
  void Start(const std::vector<Handle>& dependencies);

  // True for one caller of all, who must then call Run: it is queued and nobody else has it.
  bool Claim();
  void Run(Context& context);

  bool done() const { return state_.load(std::memory_order_acquire) == State::kDone; }

  // The result of a task that is done; throws its TaskError if it has one.
  AnyValue* Result() const;

  // Has OnDone() called when the task is done: at once, on this thread, if it is already.
  void Subscribe(std::shared_ptr<Dependent> dependent);

  // One that is still in its way; null if none is.
  Handle UnfinishedDependency();

  void OnDone() override;

 private:
  enum class State : uint8_t { kWaiting, kQueued, kRunning, kDone };

  void Finish();

  Executor& executor_;
  Body body_;  // until it has run
  Persistent<AnyValue> result_;
  std::string error_;
  bool failed_ = false;
  bool heap_full_ = false;
  std::atomic<State> state_{State::kWaiting};
  std::atomic<size_t> missing_{0};

  std::mutex mutex_;
  std::vector<Handle> dependencies_;                    // until it runs
  std::vector<std::shared_ptr<Dependent>> dependents_;  // until it is done
};

// Copies are of the same task. T is what the task returns a pointer to.
template <typename T>
class Future {
 public:
  Future() = default;
  explicit Future(Task::Handle task) : task_(std::move(task)) {}

  bool ready() const { return task_->done(); }
  const Task::Handle& task() const { return task_; }

  // Of a task that is ready.
  T* Result() const { return As<T>(task_->Result()); }

 private:
  Task::Handle task_;
};

}  // namespace tandem::workloads::tasks
