// The tasks engine's face: Runtime, Context, Actor.
//
//   Runtime runtime(mutator, threads);
//   Context& context = runtime.context();                    // of this thread, the driver
//   Future<Number> sum = context.Remote(Add, one, two);
//   Number* number = context.Get(sum);
//
//   Number* Add(Context& context, Number* a, Number* b);     // what somebody wrote
//
// A task is a callable that takes the context of the thread that runs it, then the arguments, and
// returns a pointer to a managed object, or null. Its arguments may be
//
//   Future<T>                arrives as T*: the task begins when the future is ready
//   std::vector<Future<T>>   arrives as it is, all of them ready: a vector may hold no references
//   T* of a managed class    arrives as it is; kept alive meanwhile
//   anything else            arrives as a copy; must hold no references into the heap
//
// What a task throws reaches, as TaskError, everybody who gets its result and every task that it is
// an argument of. Objects are shared, not copied: change none that another task may see.
#pragma once

#include <functional>
#include <initializer_list>
#include <memory>
#include <mutex>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "tandem/allocation.h"
#include "tandem/array.h"
#include "workloads/tasks/scheduler.h"

namespace tandem::workloads::tasks {

namespace internal {

// How an argument is kept until its task runs.
template <typename T>
struct Kept {
  using Type = T;
  static Type Keep(Heap&, T value) { return value; }
  static void AddDependencies(const Type&, std::vector<Task::Handle>&) {}
  static const T& Pass(const Type& value) { return value; }
};
template <typename T>
requires std::is_base_of_v<GarbageCollected<T>, T>
struct Kept<T*> {
  using Type = Persistent<T>;
  static Type Keep(Heap& heap, T* value) { return Type(heap, value); }
  static void AddDependencies(const Type&, std::vector<Task::Handle>&) {}
  static T* Pass(const Type& value) { return value.Get(); }
};
template <typename T>
struct Kept<Future<T>> {
  using Type = Future<T>;
  static Type Keep(Heap&, Future<T> future) { return future; }
  static void AddDependencies(const Type& future, std::vector<Task::Handle>& dependencies) {
    dependencies.push_back(future.task());
  }
  static T* Pass(const Type& future) { return future.Result(); }
};
template <typename T>
struct Kept<std::vector<Future<T>>> {
  using Type = std::vector<Future<T>>;
  static Type Keep(Heap&, Type futures) { return futures; }
  static void AddDependencies(const Type& futures, std::vector<Task::Handle>& dependencies) {
    for (const Future<T>& future : futures) dependencies.push_back(future.task());
  }
  static const Type& Pass(const Type& futures) { return futures; }
};

template <typename T>
using Passed = decltype(Kept<T>::Pass(std::declval<const typename Kept<T>::Type&>()));

}  // namespace internal

template <typename A>
class Actor;

// What a thread does with the engine. Belongs to one attached thread.
class Context {
 public:
  Context(Mutator& mutator, Scheduler& scheduler, bool runs_tasks)
      : mutator_(mutator), scheduler_(scheduler), runs_tasks_(runs_tasks) {}
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  Mutator& mutator() { return mutator_; }
  bool runs_tasks() const { return runs_tasks_; }

  // A managed object; never null. Throws HeapExhausted.
  template <typename T, typename... Args>
  T* Make(Args&&... args) {
    return Checked(MakeGarbageCollected<T>(mutator_, std::forward<Args>(args)...));
  }
  template <typename T>
  Array<T>* MakeArray(size_t length) {
    return Checked(Array<T>::Make(mutator_, length));
  }

  // Has f(context, arguments...) called once, by some thread, and returns at once.
  template <typename F, typename... Args>
  auto Remote(F f, Args... args) {
    using Pointer = std::invoke_result_t<F, Context&, internal::Passed<Args>...>;
    using Result = std::remove_pointer_t<Pointer>;
    std::vector<Task::Handle> dependencies;
    auto task = MakeTask<Result>(dependencies, std::move(f), std::move(args)...);
    task->Start(dependencies);
    return Future<Result>(std::move(task));
  }

  // An actor whose object is what make(context, arguments...) returns.
  template <typename F, typename... Args>
  auto MakeActor(F make, Args... args) {
    auto self = Remote(std::move(make), std::move(args)...);
    return Actor(std::move(self));
  }

  // Waits for the result. Throws TaskError.
  template <typename T>
  T* Get(const Future<T>& future) {
    if (!future.ready()) scheduler_.Await(*this, {&future.task(), 1}, 1, {});
    return future.Result();
  }

  // Waits until `count` of the futures are ready or the time is over. Returns the positions of
  // those that are ready then, ascending; errors are ready too.
  template <typename T>
  std::vector<size_t> Wait(const std::vector<Future<T>>& futures, size_t count,
                           Scheduler::Timeout timeout = {}) {
    std::vector<Task::Handle> tasks;
    tasks.reserve(futures.size());
    for (const Future<T>& future : futures) tasks.push_back(future.task());
    scheduler_.Await(*this, tasks, count, timeout);
    std::vector<size_t> ready;
    for (size_t i = 0; i < tasks.size(); ++i) {
      if (tasks[i]->done()) ready.push_back(i);
    }
    return ready;
  }

 private:
  template <typename A>
  friend class Actor;

  template <typename T>
  static T* Checked(T* object) {
    if (object == nullptr) throw HeapExhausted();
    return object;
  }

  template <typename Result, typename F, typename... Args>
  Task::Handle MakeTask(std::vector<Task::Handle>& dependencies, F f, Args... args) {
    Heap& heap = mutator_.heap();
    std::tuple<typename internal::Kept<Args>::Type...> kept(
        internal::Kept<Args>::Keep(heap, std::move(args))...);
    std::apply(
        [&](const auto&... each) {
          (internal::Kept<Args>::AddDependencies(each, dependencies), ...);
        },
        kept);
    return std::make_shared<Task>(
        scheduler_, heap, [f = std::move(f), kept = std::move(kept)](Context& context) {
          return std::apply(
              [&](const auto&... each) {
                Result* result = std::invoke(f, context, internal::Kept<Args>::Pass(each)...);
                return Forget(result);
              },
              kept);
        });
  }

  Mutator& mutator_;
  Scheduler& scheduler_;
  const bool runs_tasks_;
};

// An object that many may call and that does one call at a time, in the order in which they were
// made, even if the arguments of a later one are ready first. A call that throws fails itself
// alone; if the object could not be made all fail. A method that gets the result of a call to its
// own actor waits for ever. Copies are of the same actor; any attached thread.
template <typename A>
class Actor {
 public:
  explicit Actor(Future<A> self) : state_(std::make_shared<State>(std::move(self))) {}

  // The object, for who knows that no call is under way.
  const Future<A>& self() const { return state_->self; }

  // Has (object->*method)(context, arguments...) called, and returns at once.
  template <typename Method, typename... Args>
  auto Call(Context& context, Method method, Args... args) {
    using Pointer = std::invoke_result_t<Method, A*, Context&, internal::Passed<Args>...>;
    using Result = std::remove_pointer_t<Pointer>;
    const auto call = [method](Context& own, A* self, auto&&... arguments) {
      return std::invoke(method, self, own, arguments...);
    };
    std::vector<Task::Handle> dependencies;
    auto task = context.MakeTask<Result>(dependencies, call, state_->self, std::move(args)...);
    {
      std::lock_guard lock(state_->mutex);
      dependencies.push_back(std::exchange(state_->last, task));
    }
    task->Start(dependencies);
    return Future<Result>(std::move(task));
  }

 private:
  struct State {
    explicit State(Future<A> future) : self(std::move(future)), last(self.task()) {}
    const Future<A> self;
    std::mutex mutex;
    Task::Handle last;  // what the next call comes behind
  };
  std::shared_ptr<State> state_;
};

// One engine on the heap of `driver`, whose thread makes and destroys it. Its end waits for all
// tasks. Futures may outlive it, but not the heap.
class Runtime {
 public:
  Runtime(Mutator& driver, uint64_t threads)
      : scheduler_(driver, threads), context_(driver, scheduler_, /*runs_tasks=*/false) {}

  Context& context() { return context_; }
  Scheduler& scheduler() { return scheduler_; }

 private:
  Scheduler scheduler_;
  Context context_;
};

}  // namespace tandem::workloads::tasks
