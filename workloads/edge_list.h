// EdgeList: a directed graph in native memory, as it is read or generated, before it becomes
// objects.
//
// Pure functions and a value; any thread.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "tandem/status.h"

namespace tandem::workloads {

struct NumberedEdge {
  uint32_t from;
  uint32_t to;
  // NOLINTNEXTLINE(modernize-use-nullptr): clang-tidy 14 takes the comparison of its result for one
  auto operator<=>(const NumberedEdge&) const = default;
};

struct EdgeList {
  // Sums over all vertices have to fit into 64 bits (graph_pagerank.cc).
  static constexpr uint64_t kMaxVertices = uint64_t{1} << 26;
  static constexpr uint64_t kMaxEdges = uint64_t{1} << 31;

  uint32_t vertices = 0;
  std::vector<NumberedEdge> edges;
  std::vector<std::string> labels;  // by vertex; empty if its number is all there is to say

  std::string LabelOf(uint32_t vertex) const {
    return labels.empty() ? std::to_string(vertex) : labels[vertex];
  }
};

// Gives vertices their numbers in the order in which their names come up first.
class EdgeListBuilder {
 public:
  uint32_t VertexOf(std::string_view name);
  void AddEdge(std::string_view from, std::string_view to) {
    const uint32_t from_vertex = VertexOf(from);
    graph_.edges.push_back({from_vertex, VertexOf(to)});
  }
  EdgeList Take() { return std::move(graph_); }

 private:
  EdgeList graph_;
  std::unordered_map<std::string, uint32_t> numbers_;
};

// Lines of two names with blanks or a comma between them; what follows on a line (a weight, a
// time) is ignored, and so are empty lines and those that begin with # or %. `file` is for the
// error, which names the line.
Status ParseEdges(std::string_view text, std::string_view file, EdgeListBuilder& builder);

// Sorts the edges, and drops those that lead from a vertex to itself or are there twice.
void Simplify(EdgeList& graph);

// Each pair of neighbours once, in whatever direction it was, from the vertex with fewer neighbours
// to that with more. So no vertex has many edges, and a triangle is found from one of its corners.
void OrientByDegree(EdgeList& graph);

}  // namespace tandem::workloads
