#include "workloads/graph_records.h"

namespace tandem::workloads {

Graph* Graph::Make(Mutator& mutator, const EdgeList& list) {
  Vertices* vertices = Vertices::Make(mutator, list.vertices);
  if (vertices == nullptr) return nullptr;
  for (uint32_t i = 0; i < list.vertices; ++i) {
    Vertex* vertex = MakeGarbageCollected<Vertex>(mutator, i);
    if (vertex == nullptr) return nullptr;
    (*vertices)[i] = vertex;
  }
  for (const NumberedEdge& numbers : list.edges) {
    Vertex* from = (*vertices)[numbers.from];
    Edge* edge = MakeGarbageCollected<Edge>(mutator, (*vertices)[numbers.to].Get(), numbers.to,
                                            from->edges.Get());
    if (edge == nullptr) return nullptr;
    from->edges = edge;
    ++from->degree;
  }
  return MakeGarbageCollected<Graph>(mutator, vertices);
}

}  // namespace tandem::workloads
