// The algorithms of the graph workload.
//
// Each runs on a graph of its own on the heap of the session, as tasks of a partition each, on the
// session's thread and `threads` others; it returns a number for every vertex. All are exact, in
// integers, so that threads and time have no influence. They fail if the heap is full.
#pragma once

#include <cstdint>
#include <vector>

#include "tandem/persistent.h"
#include "tandem/status.h"
#include "workloads/graph_records.h"
#include "workloads/session.h"

namespace tandem::workloads {

struct GraphRun {
  Session& session;
  Persistent<Graph> graph;
  uint64_t threads;
  uint64_t rounds;
  std::vector<uint32_t> sources;
};

using VertexValues = std::vector<uint64_t>;

// Ranks add up to the number of vertices; they are given in units of 1 / kRankUnit, and rounded
// down at every step. The damping factor is .85, what vertices without edges have is shared by all.
inline constexpr uint64_t kRankUnit = uint64_t{1} << 30;
StatusOr<VertexValues> PageRank(const GraphRun& run);

// How many edges enter or leave the vertex, counted `rounds` times over.
StatusOr<VertexValues> CountDegrees(const GraphRun& run);

// Steps from the last of the sources, one search for each of them; kUnreached where none lead.
// Earlier searches count in the checksum by way of `all_searches`, a hash.
inline constexpr uint64_t kUnreached = UINT64_MAX;
StatusOr<VertexValues> BreadthFirstSearch(const GraphRun& run, uint64_t* all_searches);

// Triangles that the vertex is a corner of, in a graph that has been oriented (OrientByDegree).
StatusOr<VertexValues> CountTriangles(const GraphRun& run);

// How many vertices a path of one edge or more leads to, from each of the sources, which must be
// different; 0 for others.
StatusOr<VertexValues> TransitiveClosure(const GraphRun& run);

}  // namespace tandem::workloads
