// MakeRmat: a random graph with few popular vertices and many others, as social networks have.
//
// The Kronecker generator of Graph500 (R-MAT): for each edge one of the four quarters of the
// adjacency matrix is drawn, with probabilities .57, .19, .19 and .05, then one of that quarter's
// quarters, and so on. Vertices are renumbered at random afterwards, or the popular ones would all
// be the first. A pure function, any thread.
#pragma once

#include <cstdint>

#include "workloads/edge_list.h"

namespace tandem::workloads {

// `vertices` must be a power of two. Edges that lead from a vertex to itself or come up twice are
// dropped, so that there are somewhat fewer than `edges`.
EdgeList MakeRmat(uint64_t vertices, uint64_t edges, uint64_t seed);

}  // namespace tandem::workloads
