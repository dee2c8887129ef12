#include "workloads/graph_rounds.h"

namespace tandem::workloads {

namespace {

using Sums = Array<uint64_t>;  // by vertex of a partition

bool SetValue(Mutator& mutator, Vertex& vertex, uint64_t value) {
  Box* box = MakeGarbageCollected<Box>(mutator, value);
  if (box == nullptr) return false;
  vertex.value = box;
  return true;
}

}  // namespace

Status SetAllValues(const GraphRun& run, uint64_t value) {
  return ForAllPartitions(run, [&](Mutator& mutator, uint32_t partition) {
    return ForAllVertices(mutator, *run.graph, partition,
                          [&](Vertex& vertex) { return SetValue(mutator, vertex, value); });
  });
}

VertexValues ValuesOf(const GraphRun& run) {
  VertexValues values(run.graph->size());
  for (uint32_t partition = 0; partition < kGraphPartitions; ++partition) {
    const bool done =
        ForAllVertices(run.session.mutator(), *run.graph, partition, [&](const Vertex& vertex) {
          values[vertex.number] = vertex.value->value;
          return true;
        });
    (void)done;  // nothing is allocated
  }
  return values;
}

Status SumOverEdges(const GraphRun& run, const Persistent<Mailboxes>& mailboxes,
                    const std::function<uint64_t(const Vertex&)>& send,
                    const std::function<uint64_t(const Vertex&, uint64_t)>& combine) {
  const Graph& graph = *run.graph;
  Status status = ForAllPartitions(run, [&](Mutator& mutator, uint32_t partition) {
    return ForAllVertices(mutator, graph, partition, [&](const Vertex& vertex) {
      Box* content = MakeGarbageCollected<Box>(mutator, send(vertex));
      return content != nullptr && mailboxes->SendToAll(mutator, graph, partition, vertex, content);
    });
  });
  if (!status.ok()) return status;
  return ForAllPartitions(run, [&](Mutator& mutator, uint32_t partition) {
    const uint32_t begin = graph.BeginOf(partition);
    Sums* sums = Sums::Make(mutator, graph.EndOf(partition) - begin);
    if (sums == nullptr) return false;
    const bool received =
        mailboxes->ReceiveAll(mutator, partition, [&](const Vertex& vertex, uint64_t content) {
          (*sums)[vertex.number - begin] += content;
          return true;
        });
    return received && ForAllVertices(mutator, graph, partition, [&](Vertex& vertex) {
             return SetValue(mutator, vertex, combine(vertex, (*sums)[vertex.number - begin]));
           });
  });
}

}  // namespace tandem::workloads
