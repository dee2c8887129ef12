// PageRank and degrees, as Pregel does them: in each round vertices send along all their edges, and
// make themselves a new value of what they have got.
#include <atomic>

#include "workloads/graph_rounds.h"

namespace tandem::workloads {

namespace {

constexpr uint64_t kDampingPercent = 85;

}  // namespace

StatusOr<VertexValues> PageRank(const GraphRun& run) {
  const Persistent<Mailboxes> mailboxes(run.session.heap(), Mailboxes::Make(run.session.mutator()));
  if (!mailboxes) return GraphHeapFull();
  Status status = SetAllValues(run, kRankUnit);
  for (uint64_t round = 0; status.ok() && round < run.rounds; ++round) {
    std::atomic<uint64_t> idle{0};  // rank of vertices without edges
    const auto send = [&idle](const Vertex& vertex) -> uint64_t {
      if (vertex.degree != 0) return vertex.value->value / vertex.degree;
      // Relaxed: all have added theirs when the first one combines.
      idle.fetch_add(vertex.value->value, std::memory_order_relaxed);
      return 0;
    };
    const uint64_t vertices = run.graph->size();
    const auto combine = [&idle, vertices](const Vertex&, uint64_t received) {
      const uint64_t shared = idle.load(std::memory_order_relaxed) / vertices;
      return (kRankUnit * (100 - kDampingPercent) + (received + shared) * kDampingPercent) / 100;
    };
    status = SumOverEdges(run, mailboxes, send, combine);
  }
  if (!status.ok()) return status;
  return ValuesOf(run);
}

StatusOr<VertexValues> CountDegrees(const GraphRun& run) {
  const Persistent<Mailboxes> mailboxes(run.session.heap(), Mailboxes::Make(run.session.mutator()));
  if (!mailboxes) return GraphHeapFull();
  Status status = SetAllValues(run, 0);
  for (uint64_t round = 0; status.ok() && round < run.rounds; ++round) {
    status = SumOverEdges(
        run, mailboxes, [](const Vertex&) { return 1; },
        [](const Vertex& vertex, uint64_t received) { return vertex.degree + received; });
  }
  if (!status.ok()) return status;
  return ValuesOf(run);
}

}  // namespace tandem::workloads
