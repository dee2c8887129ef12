#include "workloads/mapreduce/engine.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <memory>
#include <utility>

#include "workloads/mapreduce/local_workers.h"

namespace tandem::workloads::mapreduce {

namespace {

// Has all tasks of one kind done. After a failure no more are given out.
Status RunTasksOfKind(WorkerLink& link, TaskKind kind, uint32_t tasks, Progress& progress,
                      JobResult& result) {
  Status status;
  uint32_t next = 0;
  size_t busy = 0;
  for (size_t worker = 0; worker < link.workers() && next < tasks; ++worker, ++busy) {
    link.Assign(worker, {kind, next++});
  }
  while (busy != 0) {
    TaskReport report = link.Receive();
    --busy;
    if (status.ok()) status = std::move(report.status);
    for (const auto& [name, n] : report.counters) result.counters[name] += n;
    for (Skipped& skipped : report.skipped) result.skipped.push_back(std::move(skipped));
    progress.Advance(1);
    if (status.ok() && next < tasks) {
      link.Assign(report.worker, {kind, next++});
      ++busy;
    }
  }
  return status;
}

Status Check(const Job& job) {
  if (job.input == nullptr || !job.map || !job.reduce || !job.partition) {
    return Status::InvalidArgument("a job needs an input, a map, a partition and a reduce");
  }
  if (job.reducers == 0) return Status::InvalidArgument("a job needs at least one reducer");
  if (job.input->splits() > std::numeric_limits<uint32_t>::max()) {
    return Status::InvalidArgument("a job has at most 2^32 - 1 splits");
  }
  return Status::Ok();
}

}  // namespace

StatusOr<JobResult> RunJob(Session& session, const Job& job, uint64_t threads) {
  if (Status status = Check(job); !status.ok()) return status;
  const auto splits = static_cast<uint32_t>(job.input->splits());
  Mutator& mutator = session.mutator();
  JobResult result(session.heap());
  Persistent<Shuffle> shuffle(session.heap());
  shuffle = Shuffle::Make(mutator, size_t{splits} * job.reducers);
  result.outputs = Runs::Make(mutator, job.reducers);
  if (!shuffle || !result.outputs) {
    return Status::ResourceExhausted("the heap is full while making a job's tables");
  }
  const JobState state{job, shuffle, result.outputs};
  auto link = LocalWorkers::Start(mutator, state, std::max<uint64_t>(threads, 1));
  if (!link.ok()) return link.status();
  {
    Phase phase(session, "map", splits);
    Status status = RunTasksOfKind(**link, TaskKind::kMap, splits, session.progress(), result);
    if (!status.ok()) return status;
  }
  {
    Phase phase(session, "reduce", job.reducers);
    Status status =
        RunTasksOfKind(**link, TaskKind::kReduce, job.reducers, session.progress(), result);
    if (!status.ok()) return status;
  }
  // Reports came in any order.
  std::stable_sort(result.skipped.begin(), result.skipped.end(),
                   [](const Skipped& a, const Skipped& b) {
                     return std::pair(a.kind, a.task) < std::pair(b.kind, b.task);
                   });
  return result;
}

std::string Describe(const Skipped& skipped) {
  return fmt::format("{} of {} {}: {}", skipped.what,
                     skipped.kind == TaskKind::kMap ? "split" : "partition", skipped.task,
                     skipped.error);
}

}  // namespace tandem::workloads::mapreduce
