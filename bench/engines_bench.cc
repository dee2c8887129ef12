// What the engines of workloads/ cost, all local.
//
// WordCount: the MapReduce engine with a combiner, against a hand-written count in a hash map over
// the same text with the same threads (each counts every other split, then they are added up).
// Limit: both read the text and look up each word; the engine makes an object for each besides.
// Target: at most twice the time (`engine_ns_a_word` / `by_hand_ns_a_word` of the same threads).
//
// Tasks: submission and completion of tasks that do nothing, submitted by the driver one after the
// other and waited for together. Target: `us_a_task` below 3.
//
// KeyValue: reads of 64 Ki records by zipf (`tandem run kv --mix c --scale small`) by one thread,
// the clock that each is timed with included. Target: `M_reads_s` at least 1.
#include <benchmark/benchmark.h>

#include <chrono>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_map>
#include <vector>

#include "bench/bench_heap.h"
#include "workloads/mapreduce/engine.h"
#include "workloads/random.h"
#include "workloads/registry.h"
#include "workloads/run_on_heap.h"
#include "workloads/tasks/runtime.h"
#include "workloads/words.h"

namespace tandem::bench {
namespace {

using workloads::AnyValue;
using workloads::As;
using workloads::Forget;
using workloads::LowerLetter;
using workloads::Text;
using workloads::WordScanner;

constexpr size_t kWords = 2'000'000;
constexpr size_t kSplits = 32;
constexpr int kTasks = 100'000;

// A few words are common, many are rare, as in a language: 50 thousand in all.
const std::string& WordText() {
  static const std::string text = [] {
    workloads::Random random(1);
    std::string made;
    for (size_t i = 0; i < kWords; ++i) {
      uint64_t rank = 1 + random.Below(uint64_t{1} << random.Below(17));
      for (; rank != 0; rank /= 7) made += static_cast<char>('a' + rank % 7);
      made += i % 12 == 11 ? '\n' : ' ';
    }
    return made;
  }();
  return text;
}

using Clock = std::chrono::steady_clock;
double Since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

struct Count : GarbageCollected<Count> {
  explicit Count(uint64_t n) : value(n) {}
  const uint64_t value;
};

uint64_t CountWithEngine(Mutator& mutator, const workloads::mapreduce::Input& input,
                         uint64_t threads) {
  using namespace workloads::mapreduce;
  workloads::Progress progress;
  workloads::Session session(mutator, progress);
  Job job;
  job.input = &input;
  job.reducers = 8;
  job.map = [](MapContext& context, const Record& line) {
    WordScanner scanner(line.bytes);
    std::string_view word;
    std::string lowered;
    Count* one = context.Make<Count>(1u);
    while (scanner.Next(&word)) {
      lowered.assign(word);
      for (char& c : lowered) c = LowerLetter(c);
      context.Emit(lowered, one);
    }
  };
  job.combine = [](Context& context, std::string_view, AnyValue* a, AnyValue* b) {
    return Forget(context.Make<Count>(As<Count>(a)->value + As<Count>(b)->value));
  };
  job.reduce = [](ReduceContext& context, Text* word, Values& counts) {
    uint64_t sum = 0;
    Count* count;
    while (counts.Next(&count)) sum += count->value;
    context.Output(word, context.Make<Count>(sum));
  };
  auto result = RunJob(session, job, threads);
  return result.value().counters["reduce.keys"];
}

uint64_t CountByHand(const workloads::mapreduce::LineInput& input, uint64_t threads) {
  using Counts = std::unordered_map<std::string, uint64_t>;
  std::vector<Counts> counts(threads);
  std::vector<std::thread> workers;
  for (uint64_t t = 0; t < threads; ++t) {
    workers.emplace_back([&, t] {
      std::string_view word;
      std::string lowered;
      for (size_t split = t; split < input.splits(); split += threads) {
        WordScanner scanner(input.split(split));
        while (scanner.Next(&word)) {
          lowered.assign(word);
          for (char& c : lowered) c = LowerLetter(c);
          ++counts[t][lowered];
        }
      }
    });
  }
  for (std::thread& worker : workers) worker.join();
  for (uint64_t t = 1; t < threads; ++t) {
    for (const auto& [word, n] : counts[t]) counts[0][word] += n;
  }
  return counts[0].size();
}

// Both in turn, so that what the machine does meanwhile hits both.
void WordCount(benchmark::State& state) {
  const auto threads = static_cast<uint64_t>(state.range(0));
  const workloads::mapreduce::LineInput input(WordText(), kSplits);
  auto heap = OpenHeap({.heap_bytes = 512 * kMiB});
  Mutator mutator(*heap);
  double engine = 0, by_hand = 0;
  for (auto _ : state) {
    const auto start = Clock::now();
    const uint64_t words = CountWithEngine(mutator, input, threads);
    const double took = Since(start);
    const auto again = Clock::now();
    if (CountByHand(input, threads) != words) state.SkipWithError("the counts differ");
    by_hand += Since(again);
    engine += took;
    state.SetIterationTime(took);
  }
  const double words = static_cast<double>(kWords) * static_cast<double>(state.iterations());
  state.counters["engine_ns_a_word"] = engine * 1e9 / words;
  state.counters["by_hand_ns_a_word"] = by_hand * 1e9 / words;
  state.counters["ratio"] = engine / by_hand;
}
BENCHMARK(WordCount)
    ->ArgName("threads")
    ->Arg(1)
    ->Arg(2)
    ->UseManualTime()
    ->Unit(benchmark::kMillisecond)
    ->Iterations(5);

void Tasks(benchmark::State& state) {
  using namespace workloads::tasks;
  auto heap = OpenHeap({.heap_bytes = 256 * kMiB});
  Mutator mutator(*heap);
  Runtime runtime(mutator, static_cast<uint64_t>(state.range(0)));
  double seconds = 0;
  for (auto _ : state) {
    const auto start = Clock::now();
    std::vector<Future<Count>> futures;
    for (int i = 0; i < kTasks; ++i) {
      futures.push_back(runtime.context().Remote(
          [](Context& context, uint64_t n) { return context.Make<Count>(n); }, uint64_t{1}));
    }
    for (const Future<Count>& future : futures) runtime.context().Get(future);
    const double took = Since(start);
    state.SetIterationTime(took);
    seconds += took;
  }
  state.counters["us_a_task"] =
      seconds * 1e6 / (static_cast<double>(kTasks) * static_cast<double>(state.iterations()));
}
BENCHMARK(Tasks)
    ->ArgName("threads")
    ->Arg(1)
    ->Arg(2)
    ->UseManualTime()
    ->Unit(benchmark::kMillisecond)
    ->Iterations(5);

void KeyValue(benchmark::State& state) {
  const auto workload = workloads::MakeWorkload("kv");
  workload->SetScale(workloads::Scale::kSmall);
  workloads::Progress progress;
  for (const auto& [option, value] : {std::pair{"mix", "c"}, std::pair{"threads", "1"}}) {
    if (!workload->options().Set(option, {value}).ok()) return state.SkipWithError(option);
  }
  if (!workload->Prepare(progress).ok()) return state.SkipWithError("kv cannot be prepared");
  double seconds = 0, reads = 0;
  for (auto _ : state) {
    auto result = workloads::RunOnHeap(*workload, {.heap_bytes = 256 * kMiB}, progress);
    if (!result.ok()) return state.SkipWithError(result.status().message().c_str());
    state.SetIterationTime(result->seconds.at("measured"));
    seconds += result->seconds.at("measured");
    reads += static_cast<double>(result->counters.at("kv.read.count"));
  }
  state.counters["M_reads_s"] = reads * 1e-6 / seconds;
}
BENCHMARK(KeyValue)->UseManualTime()->Unit(benchmark::kMillisecond)->Iterations(3);

}  // namespace
}  // namespace tandem::bench
