// A graph on the managed heap, and how it hangs together:
//
//   Graph
//     vertices -> Vertex        by number
//       edges -> Edge -> ...    those that leave it, a list
//         to -> Vertex
//       value -> Box            what an algorithm has come to; replaced in every round
//
// Vertices fall into kGraphPartitions partitions, each a range of numbers, as far as tasks go: a
// partition's task alone writes to its vertices.
#pragma once

#include <algorithm>
#include <cstdint>

#include "tandem/array.h"
#include "workloads/edge_list.h"

namespace tandem::workloads {

inline constexpr uint32_t kGraphPartitions = 32;

struct Vertex;

struct Edge : GarbageCollected<Edge> {
  Edge(Vertex* t, uint32_t number, Edge* n) : to(t), next(n), to_number(number) {}
  void Trace(Visitor* visitor) const {
    visitor->Trace(to);
    visitor->Trace(next);
  }
  Member<Vertex> to;
  Member<Edge> next;
  const uint32_t to_number;  // of `to`, which can so stay far
};

// A number on the heap, as a boxed integer of Java; it never changes.
struct Box : GarbageCollected<Box> {
  explicit Box(uint64_t v) : value(v) {}
  const uint64_t value;
};

struct Vertex : GarbageCollected<Vertex> {
  explicit Vertex(uint32_t n) : number(n) {}
  void Trace(Visitor* visitor) const {
    visitor->Trace(edges);
    visitor->Trace(value);
  }
  Member<Edge> edges;
  Member<Box> value;
  const uint32_t number;
  uint32_t degree = 0;  // how many edges there are
};

class Graph : public GarbageCollected<Graph> {
 public:
  using Vertices = Array<Member<Vertex>>;

  // Makes the edges in the order in which they are in the list. Null: the heap is full.
  static Graph* Make(Mutator& mutator, const EdgeList& list);

  explicit Graph(Vertices* vertices) : vertices_(vertices) {}
  void Trace(Visitor* visitor) const { visitor->Trace(vertices_); }

  uint32_t size() const { return static_cast<uint32_t>(vertices_->length()); }
  Vertex* vertex(uint32_t number) const { return (*vertices_)[number]; }

  uint32_t PartitionOf(uint32_t number) const { return number / PartitionSize(); }
  uint32_t BeginOf(uint32_t partition) const {
    return std::min(partition * PartitionSize(), size());
  }
  uint32_t EndOf(uint32_t partition) const { return BeginOf(partition + 1); }

 private:
  uint32_t PartitionSize() const { return size() / kGraphPartitions + 1; }

  Member<Vertices> vertices_;
};

}  // namespace tandem::workloads
