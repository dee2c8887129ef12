#include "workloads/tasks/scheduler.h"

#include <pthread.h>

#include <algorithm>
#include <system_error>
#include <utility>

#include "workloads/tasks/runtime.h"

namespace tandem::workloads::tasks {

namespace {

// How often a thread without work looks again before it sleeps.
constexpr int kLooks = 64;

// Which queue this thread puts tasks into; the driver's, which is the last, by default.
thread_local size_t t_queue = SIZE_MAX;

// Sleeps until as many tasks are done as it waits for.
class Waiter final : public Dependent {
 public:
  explicit Waiter(size_t count) : missing_(count) {}

  void OnDone() override {
    std::lock_guard lock(mutex_);
    if (missing_ != 0 && --missing_ == 0) done_.notify_one();
  }

  void Wait(Scheduler::Timeout timeout) {
    std::unique_lock lock(mutex_);
    const auto enough = [this] { return missing_ == 0; };
    if (timeout) {
      done_.wait_for(lock, *timeout, enough);
    } else {
      done_.wait(lock, enough);
    }
  }

 private:
  std::mutex mutex_;
  std::condition_variable done_;
  size_t missing_;
};

size_t CountDone(std::span<const Task::Handle> tasks) {
  return static_cast<size_t>(
      std::count_if(tasks.begin(), tasks.end(), [](const auto& task) { return task->done(); }));
}

}  // namespace

Scheduler::Scheduler(Mutator& driver, uint64_t threads)
    : driver_(driver), places_(std::max<uint64_t>(threads, 1)), queues_(places_ + 1) {
  std::lock_guard lock(places_mutex_);
  for (uint64_t i = 0; i < places_; ++i) StartThread();
}

Scheduler::~Scheduler() {
  BlockingScope blocked(driver_);
  {
    std::unique_lock lock(sleep_mutex_);
    drained_.wait(lock, [this] { return unfinished_.load() == 0; });
    stop_ = true;
  }
  work_.notify_all();
  {
    std::lock_guard lock(places_mutex_);  // a thread about to park sees stop_, or is woken
  }
  spare_wanted_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void Scheduler::StartThread() {
  const size_t index = threads_.size();
  try {
    threads_.emplace_back([this, index] { Work(index); });
    active_.fetch_add(1);
  } catch (const std::system_error&) {
    if (index == 0) throw;  // else there are fewer, and what is queued waits for them
  }
}

size_t Scheduler::threads_started() {
  std::lock_guard lock(places_mutex_);
  return threads_.size();
}

void Scheduler::Enqueue(std::shared_ptr<Task> task) {
  Queue& queue = queues_[std::min(t_queue, queues_.size() - 1)];
  {
    std::lock_guard lock(queue.mutex);
    queue.tasks.push_back(std::move(task));
  }
  // Sequentially consistent, as what Idle does is: one of the two sees the other.
  queued_.fetch_add(1);
  if (sleeping_.load() != 0) WakeOne();
}

void Scheduler::OnFinished() {
  if (unfinished_.fetch_sub(1) != 1) return;
  std::lock_guard lock(sleep_mutex_);
  drained_.notify_all();
}

void Scheduler::WakeOne() {
  std::lock_guard lock(sleep_mutex_);
  work_.notify_one();
}

std::shared_ptr<Task> Scheduler::Pop(Queue& queue, bool newest) {
  std::lock_guard lock(queue.mutex);
  if (queue.tasks.empty()) return nullptr;
  auto& end = newest ? queue.tasks.back() : queue.tasks.front();
  std::shared_ptr<Task> task = std::move(end);
  newest ? queue.tasks.pop_back() : queue.tasks.pop_front();
  queued_.fetch_sub(1);
  return task;
}

// Null: all queues are empty. Some tasks in them have been claimed by who waits for them.
std::shared_ptr<Task> Scheduler::Find(size_t own) {
  for (size_t i = 0; i < queues_.size(); ++i) {
    Queue& queue = queues_[(own + i) % queues_.size()];
    while (std::shared_ptr<Task> task = Pop(queue, i == 0)) {
      if (!task->Claim()) continue;
      // Relaxed: a count, for show.
      if (i != 0) stolen_.fetch_add(1, std::memory_order_relaxed);
      return task;
    }
  }
  return nullptr;
}

void Scheduler::Work(size_t index) {
  pthread_setname_np(pthread_self(), "mutator");  // for perf and traces
  t_queue = index % places_;
  Mutator mutator(driver_.heap());
  Context context(mutator, *this, /*runs_tasks=*/true);
  while (!stop_) {
    if (active_.load() > places_ && Park(mutator)) continue;
    if (const std::shared_ptr<Task> task = Find(t_queue)) {
      task->Run(context);
      mutator.Safepoint();
    } else {
      Idle(mutator);
    }
  }
}

// Gives up a place too many until one is free again. False: there was none too many.
bool Scheduler::Park(Mutator& mutator) {
  if (queued_.load() != 0) WakeOne();  // it may have been this thread that was woken for that
  BlockingScope blocked(mutator);
  std::unique_lock lock(places_mutex_);
  if (active_.load() <= places_ || stop_) return false;
  active_.fetch_sub(1);
  ++parked_;
  spare_wanted_.wait(lock, [this] { return wanted_ != 0 || stop_; });
  --parked_;
  if (wanted_ != 0) --wanted_;
  return true;
}

void Scheduler::Idle(Mutator& mutator) {
  for (int i = 0; i < kLooks; ++i) {
    if (queued_.load() != 0 || stop_) return;
    mutator.Safepoint();
    std::this_thread::yield();
  }
  BlockingScope blocked(mutator);
  std::unique_lock lock(sleep_mutex_);
  sleeping_.fetch_add(1);
  work_.wait(lock, [this] { return queued_.load() != 0 || stop_; });
  sleeping_.fetch_sub(1);
}

void Scheduler::LeavePlace() {
  std::lock_guard lock(places_mutex_);
  active_.fetch_sub(1);
  if (active_.load() >= places_) return;
  if (parked_ > wanted_) {
    ++wanted_;
    active_.fetch_add(1);
    spare_wanted_.notify_one();
  } else {
    StartThread();
  }
}

void Scheduler::TakePlace() { active_.fetch_add(1); }

// Runs the task, or first one that it depends on, however far. False if all that could be run here
// has been begun elsewhere. What is run is needed for the task, so that waiting for it here, in the
// frames above, is waiting that had to be.
bool Scheduler::RunWhatItWaitsFor(Context& context, const Task::Handle& task) {
  std::vector<Task::Handle> path = {task};
  bool ran = false;
  while (!path.empty()) {
    const Task::Handle next = path.back();
    if (next->done()) {
      path.pop_back();
    } else if (next->Claim()) {
      next->Run(context);
      ran = true;
      path.pop_back();
    } else if (Task::Handle dependency = next->UnfinishedDependency()) {
      path.push_back(std::move(dependency));
    } else {
      // Running elsewhere; or its last dependency was done since, and it will be queued at once.
      return ran;
    }
  }
  return ran;
}

void Scheduler::Await(Context& context, std::span<const Task::Handle> tasks, size_t count,
                      Timeout timeout) {
  count = std::min(count, tasks.size());
  if (CountDone(tasks) >= count) return;
  // With a timeout it must not begin what may take longer.
  if (context.runs_tasks() && !timeout) {
    for (const Task::Handle& task : tasks) {
      while (!task->done() && RunWhatItWaitsFor(context, task)) {
      }
      if (CountDone(tasks) >= count) return;
    }
  }
  const auto waiter = std::make_shared<Waiter>(count);
  for (const Task::Handle& task : tasks) task->Subscribe(waiter);
  if (context.runs_tasks()) LeavePlace();
  {
    BlockingScope blocked(context.mutator());
    waiter->Wait(timeout);
  }
  if (context.runs_tasks()) TakePlace();
}

}  // namespace tandem::workloads::tasks
