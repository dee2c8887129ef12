// Triangles: for each vertex the set of its neighbours is made, and each neighbour's neighbours are
// looked up in it. The result has a row for each edge that is part of a triangle; rows are counted
// when their vertex is done.
#include <atomic>
#include <bit>

#include "workloads/graph_rounds.h"
#include "workloads/random.h"

namespace tandem::workloads {

namespace {

struct Row : GarbageCollected<Row> {
  Row(const Member<Vertex>& t, uint64_t n, Row* o) : to(t), next(o), triangles(n) {}
  void Trace(Visitor* visitor) const {
    visitor->Trace(to);
    visitor->Trace(next);
  }
  Member<Vertex> to;
  Member<Row> next;
  const uint64_t triangles;  // whose first two corners are the vertex and `to`
};

using Counts = std::vector<std::atomic<uint64_t>>;  // native, because they are for three partitions

// Relaxed: RunTasks makes it visible.
void Add(Counts& counts, uint32_t vertex, uint64_t triangles) {
  counts[vertex].fetch_add(triangles, std::memory_order_relaxed);
}

// Open addressing by the vertices' numbers.
class NeighbourSet : public GarbageCollected<NeighbourSet> {
 public:
  using Slots = Array<Member<Vertex>>;

  // Null: the heap is full.
  static NeighbourSet* Make(Mutator& mutator, const Vertex& vertex) {
    Slots* slots = Slots::Make(mutator, std::bit_ceil(2 * size_t{vertex.degree} + 1));
    if (slots == nullptr) return nullptr;
    NeighbourSet* set = MakeGarbageCollected<NeighbourSet>(mutator, slots);
    if (set == nullptr) return nullptr;
    for (const Edge* edge = vertex.edges; edge != nullptr; edge = edge->next) {
      set->Find(*edge) = edge->to;
    }
    return set;
  }

  explicit NeighbourSet(Slots* slots) : slots_(slots) {}
  void Trace(Visitor* visitor) const { visitor->Trace(slots_); }

  bool Contains(const Edge& edge) const { return static_cast<bool>(Find(edge)); }

 private:
  // Where the edge's target is or should be. References are compared; no vertex is touched.
  Member<Vertex>& Find(const Edge& edge) const {
    Slots& slots = *slots_;
    for (size_t i = Mix(edge.to_number);; ++i) {
      Member<Vertex>& slot = slots[i & (slots.length() - 1)];
      if (!slot || slot == edge.to) return slot;
    }
  }

  Member<Slots> slots_;
};

// Makes the rows of `vertex`, and counts third corners. False: the heap is full.
bool FindTriangles(Mutator& mutator, const Vertex& vertex, Counts& counts, Row** rows) {
  *rows = nullptr;
  if (vertex.degree < 2) return true;
  const NeighbourSet* neighbours = NeighbourSet::Make(mutator, vertex);
  if (neighbours == nullptr) return false;
  for (const Edge* edge = vertex.edges; edge != nullptr; edge = edge->next) {
    uint64_t found = 0;
    for (const Edge* next = edge->to->edges; next != nullptr; next = next->next) {
      if (!neighbours->Contains(*next)) continue;
      Add(counts, next->to_number, 1);
      ++found;
    }
    mutator.Safepoint();
    if (found == 0) continue;
    *rows = MakeGarbageCollected<Row>(mutator, edge->to, found, *rows);
    if (*rows == nullptr) return false;
  }
  return true;
}

}  // namespace

StatusOr<VertexValues> CountTriangles(const GraphRun& run) {
  Counts counts(run.graph->size());
  Status status = ForAllPartitions(run, [&](Mutator& mutator, uint32_t partition) {
    return ForAllVertices(mutator, *run.graph, partition, [&](Vertex& vertex) {
      Row* rows;
      if (!FindTriangles(mutator, vertex, counts, &rows)) return false;
      for (const Row* row = rows; row != nullptr; row = row->next) {
        Add(counts, vertex.number, row->triangles);
        Add(counts, row->to->number, row->triangles);
      }
      return true;
    });
  });
  if (!status.ok()) return status;
  return VertexValues(counts.begin(), counts.end());
}

}  // namespace tandem::workloads
