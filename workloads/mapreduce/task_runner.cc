#include "workloads/mapreduce/task_runner.h"

#include <fmt/format.h>

#include <algorithm>

#include "workloads/mapreduce/map_buffer.h"
#include "workloads/mapreduce/run_merger.h"

namespace tandem::workloads::mapreduce {

namespace {

// Makes a call of a user's function until it succeeds, `attempts` times at most. `undo` is called
// after each failure. Returns what was thrown at last, or nothing.
template <typename Call, typename Undo>
std::string Attempt(Context& context, unsigned attempts, const Call& call, const Undo& undo) {
  std::string error;
  for (unsigned i = 0; i < std::max(attempts, 1u); ++i) {
    try {
      call();
      return {};
    } catch (const HeapExhausted&) {
      throw;
    } catch (const std::exception& thrown) {
      error = thrown.what();
    } catch (...) {
      error = "something that is no std::exception";
    }
    undo();
    context.DropCounts();
    context.Count("failed_calls");
    context.KeepCounts();
    if (error.empty()) error = "an exception without a message";
  }
  return error;
}

void Skip(Context& context, TaskReport& report, const char* counter, std::string what,
          std::string error) {
  context.Count(counter);
  context.KeepCounts();
  if (report.skipped.size() == TaskReport::kMaxNamed) return;
  report.skipped.push_back({report.task.kind, report.task.task, std::move(what), std::move(error)});
}

class BufferedMapContext final : public MapContext {
 public:
  BufferedMapContext(Mutator& mutator, const JobState& state, uint32_t split)
      : MapContext(mutator),
        buffer_(*this, state.job, state.shuffle.Get(), size_t{split} * state.job.reducers) {}

  MapBuffer& buffer() { return buffer_; }

 private:
  void EmitAny(std::string_view key, AnyValue* value, uint64_t value_bytes) override {
    buffer_.Stage(key, value, value_bytes);
  }

  MapBuffer buffer_;
};

void RunMap(Mutator& mutator, const JobState& state, TaskReport& report) {
  BufferedMapContext context(mutator, state, report.task.task);
  MapBuffer& buffer = context.buffer();
  uint64_t records = 0;
  state.job.input->Read(report.task.task, [&](const Record& record) {
    std::string error = Attempt(
        context, state.job.attempts, [&] { state.job.map(context, record); },
        [&] { buffer.Drop(); });
    if (error.empty()) {
      buffer.Commit();
      context.KeepCounts();
    } else {
      Skip(context, report, "map.skipped", fmt::format("record {}", record.number),
           std::move(error));
    }
    if (++records % 1024 == 0) mutator.Safepoint();
  });
  buffer.Spill();
  context.Count("map.records", records);
  context.Count("map.pairs", buffer.pairs_in());
  context.Count("map.runs", buffer.spills());
  context.KeepCounts();
  report.counters = std::move(context.counters());
}

class ListReduceContext final : public ReduceContext {
 public:
  explicit ListReduceContext(Mutator& mutator)
      : ReduceContext(mutator), pairs_(MakeArray<Member<Pair>>(256)) {}

  void Keep() { kept_ = size_; }
  void Drop() {
    while (size_ > kept_) (*pairs_)[--size_] = nullptr;
  }

  Run* Finish() {
    Pairs* exact = MakeArray<Member<Pair>>(kept_);
    for (size_t i = 0; i < kept_; ++i) (*exact)[i] = (*pairs_)[i];
    return Make<Run>(exact, nullptr, 0u);
  }

 private:
  void OutputAny(Text* key, AnyValue* value) override {
    if (size_ == pairs_->length()) {
      Pairs* grown = MakeArray<Member<Pair>>(2 * size_);
      for (size_t i = 0; i < size_; ++i) (*grown)[i] = (*pairs_)[i];
      pairs_ = grown;
    }
    (*pairs_)[size_] = Make<Pair>(key, value);
    ++size_;
  }

  Pairs* pairs_;
  size_t size_ = 0;
  size_t kept_ = 0;
};

// Takes the runs of the partition out of the shuffle, so that they are garbage once merged.
Runs* TakeRuns(Context& context, const JobState& state, uint32_t partition, uint64_t* bytes) {
  Shuffle& shuffle = *state.shuffle;
  const uint32_t reducers = state.job.reducers;
  size_t count = 0;
  for (size_t slot = partition; slot < shuffle.length(); slot += reducers) {
    for (RunList* link = shuffle[slot]; link != nullptr; link = link->next) ++count;
  }
  Runs* runs = context.MakeArray<Member<Run>>(count);
  size_t at = 0;
  for (size_t slot = partition; slot < shuffle.length(); slot += reducers) {
    for (RunList* link = shuffle[slot]; link != nullptr; link = link->next) {
      (*runs)[at++] = link->run;
      *bytes += link->run->bytes;
    }
    shuffle[slot] = nullptr;
  }
  return runs;
}

// One pass: neighbours are merged, so that runs keep their order.
Runs* MergePass(Context& context, Runs* runs, uint32_t at_once) {
  Runs* merged = context.MakeArray<Member<Run>>((runs->length() + at_once - 1) / at_once);
  for (size_t i = 0; i < merged->length(); ++i) {
    const size_t begin = i * at_once;
    Runs* some = context.MakeArray<Member<Run>>(std::min<size_t>(at_once, runs->length() - begin));
    for (size_t j = 0; j < some->length(); ++j) {
      (*some)[j] = (*runs)[begin + j];
      (*runs)[begin + j] = nullptr;
    }
    (*merged)[i] = MergeRuns(context, some);
  }
  context.Count("reduce.merge_passes");
  return merged;
}

std::string NameOfKey(std::string_view key) {
  constexpr size_t kShown = 64;
  std::string name;
  for (const char c : key.substr(0, kShown)) name += c >= ' ' && c <= '~' ? c : '?';
  return fmt::format("key '{}'{}", name, key.size() > kShown ? "..." : "");
}

void RunReduce(Mutator& mutator, const JobState& state, TaskReport& report) {
  ListReduceContext context(mutator);
  uint64_t bytes = 0;
  Runs* runs = TakeRuns(context, state, report.task.task, &bytes);
  const uint32_t at_once = std::max(state.job.merge_runs, 2u);
  if (bytes > state.job.share_bytes) {
    while (runs->length() > at_once) runs = MergePass(context, runs, at_once);
  }
  RunMerger merger(context, runs, /*for_values=*/true);
  uint64_t keys = 0;
  while (merger.NextKey()) {
    std::string error = Attempt(
        context, state.job.attempts,
        [&] {
          Values values(mutator, merger.extents());
          state.job.reduce(context, merger.key(), values);
        },
        [&] { context.Drop(); });
    if (error.empty()) {
      context.Keep();
      context.KeepCounts();
      ++keys;
    } else {
      Skip(context, report, "reduce.skipped", NameOfKey(merger.key()->view()), std::move(error));
    }
  }
  context.Count("reduce.keys", keys);
  context.KeepCounts();
  (*state.outputs)[report.task.task] = context.Finish();
  report.counters = std::move(context.counters());
}

}  // namespace

TaskReport RunTask(Mutator& mutator, const JobState& state, const TaskMessage& task) {
  TaskReport report{0, task, Status::Ok(), {}, {}};
  const bool map = task.kind == TaskKind::kMap;
  try {
    (map ? RunMap : RunReduce)(mutator, state, report);
  } catch (const HeapExhausted&) {
    report.status = Status::ResourceExhausted(fmt::format("the heap is full while {} {} {}",
                                                          map ? "mapping" : "reducing",
                                                          map ? "split" : "partition", task.task));
  } catch (const std::exception& thrown) {  // from the input, or for want of native memory
    report.status = Status::Internal(
        fmt::format("{} {}: {}", map ? "split" : "partition", task.task, thrown.what()));
  }
  return report;
}

}  // namespace tandem::workloads::mapreduce
