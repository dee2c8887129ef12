#include "workloads/edge_list.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace tandem::workloads {

namespace {

constexpr std::string_view kBlanks = " \t\r,;";

// Cuts the first word off `line`; empty if there is none.
std::string_view TakeWord(std::string_view& line) {
  line.remove_prefix(std::min(line.find_first_not_of(kBlanks), line.size()));
  const std::string_view word = line.substr(0, line.find_first_of(kBlanks));
  line.remove_prefix(word.size());
  return word;
}

}  // namespace

uint32_t EdgeListBuilder::VertexOf(std::string_view name) {
  const auto [found, is_new] = numbers_.try_emplace(std::string(name), graph_.vertices);
  if (is_new) {
    ++graph_.vertices;
    graph_.labels.emplace_back(name);
  }
  return found->second;
}

Status ParseEdges(std::string_view text, std::string_view file, EdgeListBuilder& builder) {
  for (uint64_t number = 1; !text.empty(); ++number) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    const std::string_view from = TakeWord(line);
    if (from.empty() || from[0] == '#' || from[0] == '%') continue;
    const std::string_view to = TakeWord(line);
    if (to.empty()) {
      return Status::InvalidArgument(fmt::format(
          "{}, line {}: an edge is two names with blanks or a comma between them", file, number));
    }
    builder.AddEdge(from, to);
  }
  return Status::Ok();
}

void Simplify(EdgeList& graph) {
  std::vector<NumberedEdge>& edges = graph.edges;
  std::erase_if(edges, [](NumberedEdge edge) { return edge.from == edge.to; });
  std::sort(edges.begin(), edges.end());
  edges.erase(std::unique(edges.begin(), edges.end()), edges.end());
}

void OrientByDegree(EdgeList& graph) {
  for (NumberedEdge& edge : graph.edges) {
    if (edge.from > edge.to) std::swap(edge.from, edge.to);
  }
  Simplify(graph);
  std::vector<uint32_t> degrees(graph.vertices);
  for (const NumberedEdge edge : graph.edges) {
    ++degrees[edge.from];
    ++degrees[edge.to];
  }
  for (NumberedEdge& edge : graph.edges) {
    if (degrees[edge.from] > degrees[edge.to]) std::swap(edge.from, edge.to);
  }
  std::sort(graph.edges.begin(), graph.edges.end());
}

}  // namespace tandem::workloads
