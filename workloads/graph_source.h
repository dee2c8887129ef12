// GraphSource: where the graph workload's vertices and edges come from.
//
// The graph is native memory. Any thread; each call stands for itself.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/status.h"
#include "workloads/edge_list.h"
#include "workloads/progress.h"

namespace tandem::workloads {

struct GraphSource {
  // Edge lists (ParseEdges), read as one. If empty, `data` says what the graph is.
  std::vector<std::string> files;

  // rmat: random (rmat.h).
  // debian: packages, and what they depend on, recommend and suggest, from apt's lists; from
  //     dpkg's list of what is installed if apt has none.
  // wordnet: sets of synonyms and the relations between them, from package wordnet-base.
  std::string data = "rmat";

  // Of a random graph.
  uint64_t vertices = 0;
  uint64_t edges = 0;
  uint64_t seed = 1;
};

// The edges are simplified (edge_list.h).
StatusOr<EdgeList> ReadGraph(const GraphSource& source, Progress& progress);

// Package stanzas, as apt and dpkg have them: `Depends: a (>= 1), b | c` makes three edges. A name
// that no stanza has is a vertex all the same: most are virtual packages.
void ParsePackages(std::string_view text, EdgeListBuilder& builder);

// A `data.POS` file of WordNet (wndb(5WN)), whose synsets are named by their part of speech, one of
// n, v, a, r, and their offset in the file: n00001740.
Status ParseSynsets(std::string_view text, char part_of_speech, EdgeListBuilder& builder);

}  // namespace tandem::workloads
