#include "workloads/rmat.h"

#include <numeric>
#include <utility>
#include <vector>

#include "workloads/random.h"

namespace tandem::workloads {

namespace {

std::vector<uint32_t> RandomOrder(uint64_t count, Random& random) {
  std::vector<uint32_t> order(count);
  std::iota(order.begin(), order.end(), 0);
  for (uint64_t i = count; i > 1; --i) std::swap(order[i - 1], order[random.Below(i)]);
  return order;
}

}  // namespace

EdgeList MakeRmat(uint64_t vertices, uint64_t edges, uint64_t seed) {
  Random random(seed);
  const std::vector<uint32_t> number = RandomOrder(vertices, random);
  EdgeList graph;
  graph.vertices = static_cast<uint32_t>(vertices);
  graph.edges.reserve(edges);
  for (uint64_t i = 0; i < edges; ++i) {
    uint32_t from = 0, to = 0;
    for (uint64_t size = vertices; size > 1; size /= 2) {
      const uint64_t percent = random.Below(100);
      const bool lower = percent >= 57 + 19;
      const bool right = lower ? percent >= 57 + 19 + 19 : percent >= 57;
      from = 2 * from + lower;
      to = 2 * to + right;
    }
    graph.edges.push_back({number[from], number[to]});
  }
  Simplify(graph);
  return graph;
}

}  // namespace tandem::workloads
