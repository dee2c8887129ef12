#include "workloads/tasks/task.h"

#include <utility>

namespace tandem::workloads::tasks {

Task::Task(Executor& executor, Heap& heap, Body body)
    : executor_(executor), body_(std::move(body)), result_(heap) {
  executor_.OnBegun();
}

Task::~Task() = default;

void Task::Start(const std::vector<Handle>& dependencies) {
  // One more, so that it is not queued before all subscriptions are made.
  missing_.store(dependencies.size() + 1, std::memory_order_relaxed);
  if (!dependencies.empty()) {
    std::lock_guard lock(mutex_);
    dependencies_ = dependencies;
  }
  for (const Handle& dependency : dependencies) dependency->Subscribe(shared_from_this());
  OnDone();
}

void Task::OnDone() {
  if (missing_.fetch_sub(1) != 1) return;
  state_.store(State::kQueued);
  executor_.Enqueue(shared_from_this());
}

bool Task::Claim() {
  State expected = State::kQueued;
  return state_.compare_exchange_strong(expected, State::kRunning);
}

void Task::Run(Context& context) {
  {
    std::vector<Handle> unneeded;  // dropped without the lock
    std::lock_guard lock(mutex_);
    unneeded.swap(dependencies_);
  }
  try {
    result_ = body_(context);
  } catch (const TaskError& error) {
    failed_ = true;
    error_ = error.what();
    heap_full_ = error.heap_full;
  } catch (const HeapExhausted& error) {
    failed_ = heap_full_ = true;
    error_ = error.what();
  } catch (const std::exception& error) {
    failed_ = true;
    error_ = error.what();
  } catch (...) {
    failed_ = true;
    error_ = "something that is no std::exception";
  }
  body_ = nullptr;  // with its arguments, and the roots among them
  Finish();
}

void Task::Finish() {
  std::vector<std::shared_ptr<Dependent>> dependents;
  {
    std::lock_guard lock(mutex_);
    state_.store(State::kDone);
    dependents.swap(dependents_);
  }
  for (const std::shared_ptr<Dependent>& dependent : dependents) dependent->OnDone();
  executor_.OnFinished();
}

AnyValue* Task::Result() const {
  if (failed_) throw TaskError(error_, heap_full_);
  return result_.Get();
}

void Task::Subscribe(std::shared_ptr<Dependent> dependent) {
  {
    std::lock_guard lock(mutex_);
    if (!done()) {
      dependents_.push_back(std::move(dependent));
      return;
    }
  }
  dependent->OnDone();
}

Task::Handle Task::UnfinishedDependency() {
  std::lock_guard lock(mutex_);
  for (const Handle& dependency : dependencies_) {
    if (!dependency->done()) return dependency;
  }
  return nullptr;
}

}  // namespace tandem::workloads::tasks
