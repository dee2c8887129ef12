// What the algorithms on graphs are made of: tasks of a partition each, and rounds of messages.
#pragma once

#include <cstdint>
#include <functional>

#include "tandem/persistent.h"
#include "workloads/graph_algorithms.h"
#include "workloads/graph_messages.h"
#include "workloads/tasks.h"

namespace tandem::workloads {

inline Status GraphHeapFull() {
  return Status::ResourceExhausted("the heap is full while working on a graph");
}

// Calls work(mutator, partition) for all partitions; false says that the heap is full.
template <typename F>
Status ForAllPartitions(const GraphRun& run, const F& work) {
  return RunTasks(run.session.mutator(), run.threads, kGraphPartitions,
                  [&](Mutator& mutator, size_t partition) {
                    if (!work(mutator, static_cast<uint32_t>(partition))) return GraphHeapFull();
                    run.session.progress().Advance(1);
                    return Status::Ok();
                  });
}

// Calls work(vertex) for all vertices of a partition, until it returns false: the heap is full.
template <typename F>
[[nodiscard]] bool ForAllVertices(Mutator& mutator, const Graph& graph, uint32_t partition,
                                  const F& work) {
  constexpr uint32_t kVerticesPerSafepoint = 1024;
  for (uint32_t i = graph.BeginOf(partition); i < graph.EndOf(partition); ++i) {
    if (!work(*graph.vertex(i))) return false;
    if (i % kVerticesPerSafepoint == 0) mutator.Safepoint();
  }
  return true;
}

// Gives all vertices the same value.
Status SetAllValues(const GraphRun& run, uint64_t value);

// The values of all vertices.
VertexValues ValuesOf(const GraphRun& run);

// A round: each vertex sends send(vertex) along all its edges; then its new value is
// combine(vertex, what it has received in all). Both are called on several threads at once.
Status SumOverEdges(const GraphRun& run, const Persistent<Mailboxes>& mailboxes,
                    const std::function<uint64_t(const Vertex&)>& send,
                    const std::function<uint64_t(const Vertex&, uint64_t)>& combine);

}  // namespace tandem::workloads
