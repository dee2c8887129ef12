#include "workloads/tasks/runtime.h"

#include <gmock/gmock.h>

#include <atomic>
#include <chrono>
#include <numeric>
#include <stdexcept>
#include <string>
#include <thread>

namespace tandem::workloads::tasks {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;

struct Number : GarbageCollected<Number> {
  explicit Number(uint64_t n) : value(n) {}
  const uint64_t value;
};

Number* Make(Context& context, uint64_t n) { return context.Make<Number>(n); }
Number* Add(Context& context, Number* a, Number* b) {
  return context.Make<Number>(a->value + b->value);
}
Number* Throw(Context&, std::string message) { throw std::runtime_error(message); }

class RuntimeTest : public ::testing::TestWithParam<int> {
 protected:
  void SetUp() override {
    HeapOptions options;
    options.heap_bytes = uint64_t{64} << 20;
    auto heap = Heap::Create(options);
    ASSERT_TRUE(heap.ok()) << heap.status().message();
    heap_ = std::move(*heap);
    mutator_ = std::make_unique<Mutator>(*heap_);
    runtime_ = std::make_unique<Runtime>(*mutator_, GetParam());
  }

  Context& context() { return runtime_->context(); }

  std::string ErrorOf(const Future<Number>& future) {
    try {
      context().Get(future);
    } catch (const TaskError& error) {
      return error.what();
    }
    return "no error";
  }

  std::unique_ptr<Heap> heap_;
  std::unique_ptr<Mutator> mutator_;
  std::unique_ptr<Runtime> runtime_;
};

// Waits in a task for something that the test does, without touching the heap.
void Await(Context& context, const std::atomic<bool>& flag) {
  BlockingScope blocked(context.mutator());
  flag.wait(false);
}
void Raise(std::atomic<bool>& flag) {
  flag = true;
  flag.notify_all();
}

TEST_P(RuntimeTest, AFutureHoldsWhatTheTaskReturned) {
  EXPECT_EQ(context().Get(context().Remote(Make, uint64_t{42}))->value, 42u);
  EXPECT_EQ(context().Get(context().Remote([](Context&) -> Number* { return nullptr; })), nullptr);
}

TEST_P(RuntimeTest, FuturesAsArgumentsMakeAGraph) {
  // Fibonacci numbers, each the sum of the two before: F(80) is known.
  auto a = context().Remote(Make, uint64_t{0}), b = context().Remote(Make, uint64_t{1});
  for (int i = 0; i < 79; ++i) a = std::exchange(b, context().Remote(Add, a, b));
  EXPECT_EQ(context().Get(b)->value, 23416728348467685u);
}

TEST_P(RuntimeTest, ManagedObjectsAsArgumentsStayAlive) {
  std::vector<Future<Number>> sums;
  for (uint64_t i = 0; i < 1000; ++i) {
    Number* number = context().Make<Number>(i);
    sums.push_back(context().Remote(Add, number, number));
    if (i % 100 == 0) heap_->RequestCollection();
  }
  for (uint64_t i = 0; i < 1000; ++i) EXPECT_EQ(context().Get(sums[i])->value, 2 * i);
}

TEST_P(RuntimeTest, AVectorOfFuturesArrivesReady) {
  std::vector<Future<Number>> parts;
  for (uint64_t i = 1; i <= 100; ++i) parts.push_back(context().Remote(Make, i));
  const auto sum = context().Remote(
      [](Context& own, const std::vector<Future<Number>>& numbers) {
        uint64_t total = 0;
        for (const Future<Number>& number : numbers) total += number.Result()->value;
        return own.Make<Number>(total);
      },
      parts);
  EXPECT_EQ(context().Get(sum)->value, 5050u);
}

Number* Fibonacci(Context& context, uint64_t n) {
  if (n < 2) return context.Make<Number>(n);
  const auto left = context.Remote(Fibonacci, n - 1), right = context.Remote(Fibonacci, n - 2);
  return Add(context, context.Get(left), context.Get(right));
}

TEST_P(RuntimeTest, NestedTasksDoNotDeadlock) {
  EXPECT_EQ(context().Get(context().Remote(Fibonacci, uint64_t{16}))->value, 987u);
}

// Both must run at once, so the one that is not taken by its own thread is stolen by another.
TEST_P(RuntimeTest, IdleThreadsStealTasks) {
  if (GetParam() == 1) GTEST_SKIP() << "a single thread has nobody to steal from";
  std::atomic<int> running{0};
  const auto meet = [&running](Context& own, uint64_t n) {
    ++running;
    while (running < 2) own.mutator().Safepoint();
    return own.Make<Number>(n);
  };
  const auto root = context().Remote(
      [&meet](Context& own, uint64_t n) {
        const auto left = own.Remote(meet, n), right = own.Remote(meet, n);
        return Add(own, own.Get(left), own.Get(right));
      },
      uint64_t{21});
  EXPECT_EQ(context().Get(root)->value, 42u);
  EXPECT_GE(runtime_->scheduler().stolen(), 1u);
}

// Each waits for the one before it, which is begun last where the newest is taken first: one place
// is enough all the same.
TEST_P(RuntimeTest, AChainOfWaitingTasksDoesNotDeadlock) {
  Future<Number> last = context().Remote(Make, uint64_t{0});
  for (int i = 0; i < 200; ++i) {
    // A pair of a future is no argument that waits.
    last = context().Remote(
        [](Context& own, const std::pair<Future<Number>, int>& before) {
          return own.Make<Number>(own.Get(before.first)->value + 1);
        },
        std::pair(last, 0));
  }
  EXPECT_EQ(context().Get(last)->value, 200u);
}

// The one that is asked for has been begun elsewhere and sleeps: who waits gives its place away.
TEST_P(RuntimeTest, AWaitingTaskGivesItsPlaceToOthers) {
  std::atomic<bool> begun{false};
  std::atomic<bool> released{false};
  const auto asleep = context().Remote([&](Context& own) {
    Raise(begun);
    const auto release = own.Remote([&](Context& other) {
      Raise(released);
      return other.Make<Number>(7u);
    });
    // Long enough asleep that another could begin `release` if there is one.
    own.Wait(std::vector{release}, 1, 1ms);
    return own.Get(release);
  });
  Await(context(), begun);
  std::vector<Future<Number>> waiting;
  for (int i = 0; i < 20; ++i) {
    waiting.push_back(context().Remote(
        [](Context& own, const std::pair<Future<Number>, int>& other) {
          return own.Make<Number>(own.Get(other.first)->value);
        },
        std::pair(asleep, i)));
  }
  for (const auto& future : waiting) EXPECT_EQ(context().Get(future)->value, 7u);
  EXPECT_TRUE(released);
}

TEST_P(RuntimeTest, AnErrorReachesWhoeverGetsIt) {
  EXPECT_EQ(ErrorOf(context().Remote(Throw, std::string("out of luck"))), "out of luck");
  EXPECT_EQ(ErrorOf(context().Remote([](Context&) -> Number* { throw 42; })),
            "something that is no std::exception");
}

TEST_P(RuntimeTest, AnErrorTravelsThroughTasksThatDependOnIt) {
  auto future = context().Remote(Add, context().Remote(Make, uint64_t{1}),
                                 context().Remote(Throw, std::string("at the root")));
  for (int i = 0; i < 10; ++i) future = context().Remote(Add, future, future);
  EXPECT_EQ(ErrorOf(future), "at the root");
}

TEST_P(RuntimeTest, AnErrorThatIsCaughtTravelsNoFurther) {
  const auto caught = context().Remote([](Context& own) {
    try {
      return own.Get(own.Remote(Throw, std::string("inside")));
    } catch (const TaskError&) {
      return own.Make<Number>(1u);
    }
  });
  EXPECT_EQ(context().Get(caught)->value, 1u);
}

TEST_P(RuntimeTest, AFullHeapIsAnErrorThatSaysSo) {
  const auto future = context().Remote([](Context& own) {
    own.MakeArray<char>(uint64_t{1} << 40);
    return own.Make<Number>(0u);
  });
  try {
    context().Get(future);
    ADD_FAILURE() << "there was room";
  } catch (const TaskError& error) {
    EXPECT_TRUE(error.heap_full);
  }
}

TEST_P(RuntimeTest, WaitReturnsWhatIsReady) {
  std::atomic<bool> go{false};
  std::vector<Future<Number>> futures = {
      context().Remote([&](Context& own) {
        Await(own, go);
        return own.Make<Number>(0u);
      }),
  };
  EXPECT_THAT(context().Wait(futures, 1, 1ms), ElementsAre());
  EXPECT_THAT(context().Wait(futures, 0), ElementsAre());
  if (GetParam() > 1) {
    futures.push_back(context().Remote(Throw, std::string("also ready")));
    EXPECT_THAT(context().Wait(futures, 1), ElementsAre(1));
  }
  Raise(go);
  EXPECT_EQ(context().Wait(futures, 100).size(), futures.size());
  EXPECT_THAT(context().Wait(std::vector<Future<Number>>(), 3), ElementsAre());
}

// Keeps the numbers that it was given, in order, as digits.
struct Recorder : GarbageCollected<Recorder> {
  Number* Append(Context& context, Number* digit) {
    if (digit->value > 9) throw std::runtime_error("not a digit");
    digits = digits * 10 + digit->value;
    return context.Make<Number>(digits);
  }
  uint64_t digits = 0;
};

TEST_P(RuntimeTest, MethodsOfAnActorRunInTheOrderSubmitted) {
  auto actor = context().MakeActor([](Context& own) { return own.Make<Recorder>(); });
  std::atomic<bool> go{false};
  // The first one's argument is ready last.
  const auto late = context().Remote([&](Context& own) {
    Await(own, go);
    return own.Make<Number>(1u);
  });
  actor.Call(context(), &Recorder::Append, late);
  for (uint64_t i = 2; i < 9; ++i) {
    actor.Call(context(), &Recorder::Append, context().Make<Number>(i));
  }
  const auto last = actor.Call(context(), &Recorder::Append, context().Make<Number>(9u));
  Raise(go);
  EXPECT_EQ(context().Get(last)->value, 123456789u);
}

TEST_P(RuntimeTest, AMethodThatThrowsFailsItselfAlone) {
  auto actor = context().MakeActor([](Context& own) { return own.Make<Recorder>(); });
  actor.Call(context(), &Recorder::Append, context().Make<Number>(4u));
  const auto bad = actor.Call(context(), &Recorder::Append, context().Make<Number>(44u));
  const auto good = actor.Call(context(), &Recorder::Append, context().Make<Number>(2u));
  EXPECT_EQ(ErrorOf(bad), "not a digit");
  EXPECT_EQ(context().Get(good)->value, 42u);
}

TEST_P(RuntimeTest, AnActorThatCouldNotBeMadeFailsAllCalls) {
  auto actor =
      context().MakeActor([](Context&) -> Recorder* { throw std::runtime_error("stillborn"); });
  EXPECT_EQ(ErrorOf(actor.Call(context(), &Recorder::Append, context().Make<Number>(4u))),
            "stillborn");
}

TEST_P(RuntimeTest, TasksCallActorsOfOthers) {
  auto actor = context().MakeActor([](Context& own) { return own.Make<Recorder>(); });
  const auto task = context().Remote(
      [](Context& own, Actor<Recorder> recorder) {
        recorder.Call(own, &Recorder::Append, own.Make<Number>(1u));
        return own.Get(recorder.Call(own, &Recorder::Append, own.Make<Number>(2u)));
      },
      actor);
  EXPECT_EQ(context().Get(task)->value, 12u);
}

TEST_P(RuntimeTest, TheEndWaitsForAllTasks) {
  std::atomic<int> ran{0};
  for (int i = 0; i < 100; ++i) {
    context().Remote([&](Context& own) {
      own.Remote([&](Context&) -> Number* { return ++ran, nullptr; });
      return own.Make<Number>(0u);
    });
  }
  runtime_.reset();
  EXPECT_EQ(ran, 100);
}

TEST_P(RuntimeTest, CollectionsGoOnWhileAllThreadsSleep) {
  std::atomic<bool> go{false};
  const auto asleep = context().Remote([&](Context& own) {
    Await(own, go);
    return own.Make<Number>(5u);
  });
  const auto waiting = context().Remote(Add, asleep, asleep);
  heap_->Collect();
  Raise(go);
  EXPECT_EQ(context().Get(waiting)->value, 10u);
}

INSTANTIATE_TEST_SUITE_P(Threads, RuntimeTest, ::testing::Values(1, 2, 5));

}  // namespace
}  // namespace tandem::workloads::tasks
