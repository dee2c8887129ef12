// Where graphs come from: lists of edges, random graphs, packages, and WordNet's files.
#include "workloads/edge_list.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "workloads/graph_source.h"
#include "workloads/rmat.h"

namespace tandem::workloads {
namespace {

// The edges by label, in their order.
std::vector<std::string> Named(const EdgeList& graph) {
  std::vector<std::string> edges;
  for (const NumberedEdge edge : graph.edges) {
    edges.push_back(graph.LabelOf(edge.from) + ">" + graph.LabelOf(edge.to));
  }
  return edges;
}

TEST(ParseEdgesTest, ReadsWhatOthersWrite) {
  EdgeListBuilder builder;
  const Status status = ParseEdges(
      "# FromNodeId\tToNodeId\n% bip unweighted\n\n30\t1412\n30 3352 0.5\r\n  a,b\n\n1412 30",
      "edges.txt", builder);
  ASSERT_TRUE(status.ok()) << status.message();
  const EdgeList graph = builder.Take();
  EXPECT_EQ(graph.vertices, 5u);
  EXPECT_EQ(Named(graph), (std::vector<std::string>{"30>1412", "30>3352", "a>b", "1412>30"}));
}

TEST(ParseEdgesTest, NamesTheLineThatIsNoEdge) {
  EdgeListBuilder builder;
  const Status status = ParseEdges("1 2\n\nalone\n", "edges.txt", builder);
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(status.message(),
            "edges.txt, line 3: an edge is two names with blanks or a comma between them");
}

TEST(EdgeListTest, SimplifyingDropsLoopsAndRepeats) {
  EdgeList graph{3, {{2, 1}, {0, 0}, {0, 1}, {2, 1}, {1, 2}}, {}};
  Simplify(graph);
  EXPECT_EQ(graph.edges, (std::vector<NumberedEdge>{{0, 1}, {1, 2}, {2, 1}}));
}

TEST(EdgeListTest, OrientingLeadsToMoreNeighbours) {
  // A star around 0, some of it there twice.
  EdgeList graph{4, {{0, 1}, {1, 0}, {0, 2}, {3, 0}, {3, 2}}, {}};
  OrientByDegree(graph);
  EXPECT_EQ(graph.edges, (std::vector<NumberedEdge>{{1, 0}, {2, 0}, {2, 3}, {3, 0}}));
}

TEST(RmatTest, IsTheSameForTheSameSeedOnly) {
  EXPECT_EQ(MakeRmat(1024, 8192, 1).edges, MakeRmat(1024, 8192, 1).edges);
  EXPECT_NE(MakeRmat(1024, 8192, 1).edges, MakeRmat(1024, 8192, 2).edges);
}

TEST(RmatTest, QuartersHaveTheirShares) {
  // With two vertices the draws are seen one by one, but for loops and repeats: so count, over many
  // graphs of one edge, how often it leads from one vertex to the other: .19 + .19.
  int edges = 0;
  for (uint64_t seed = 0; seed < 10'000; ++seed) edges += !MakeRmat(2, 1, seed).edges.empty();
  EXPECT_NEAR(edges, 3800, 5 * 49);  // binomial: a deviation of 49
}

TEST(RmatTest, FewVerticesHaveManyEdges) {
  constexpr uint64_t kVertices = 4096;
  const EdgeList graph = MakeRmat(kVertices, 16 * kVertices, 3);
  EXPECT_GT(graph.edges.size(), 10 * kVertices);
  std::vector<uint64_t> degrees(kVertices);
  for (const NumberedEdge edge : graph.edges) ++degrees[edge.from];
  std::sort(degrees.rbegin(), degrees.rend());
  uint64_t popular = 0;
  for (uint64_t i = 0; i < kVertices / 100; ++i) popular += degrees[i];
  EXPECT_GT(popular, graph.edges.size() / 6);  // of the first hundredth
  EXPECT_LE(degrees[kVertices / 2], 10u);      // the median, of a mean of more
  EXPECT_GT(std::count(degrees.begin(), degrees.end(), 0), 0);
}

TEST(PackagesTest, AreVerticesAndSoIsWhatTheyDependOn) {
  EdgeListBuilder builder;
  ParsePackages(
      "Package: mutt\n"
      "Depends: libc6 (>= 2.34), default-mta | mail-transport-agent\n"
      "Description: text-based mailreader\n"
      " Depends: nothing\n"
      "Suggests: python3:any\n"
      "\n"
      "Package: libc6\n"
      "Pre-Depends: \n",
      builder);
  const EdgeList graph = builder.Take();
  EXPECT_EQ(graph.vertices, 5u);
  EXPECT_EQ(Named(graph), (std::vector<std::string>{"mutt>libc6", "mutt>default-mta",
                                                    "mutt>mail-transport-agent", "mutt>python3"}));
}

TEST(SynsetsTest, PointToOtherSynsets) {
  EdgeListBuilder builder;
  const Status status = ParseSynsets(
      "  1 This software and database is being provided to you\n"
      "00001930 03 n 01 physical_entity 0 002 @ 00001740 n 0000 ~ 00002452 a 0000 | an entity\n"
      "00002137 03 n 02 abstraction 0 abstract_entity 0 001 + 00692347 v 0101 | a concept\n",
      'n', builder);
  ASSERT_TRUE(status.ok()) << status.message();
  const EdgeList graph = builder.Take();
  EXPECT_EQ(Named(graph), (std::vector<std::string>{"n00001930>n00001740", "n00001930>a00002452",
                                                    "n00002137>v00692347"}));
}

TEST(SynsetsTest, RefusesWhatIsNone) {
  EdgeListBuilder builder;
  for (const char* text : {"nonsense\n", "00001740 03 n 0x entity 0 003\n", "1 2 3\n"}) {
    const Status status = ParseSynsets(text, 'n', builder);
    EXPECT_EQ(status.message(), "line 1 is no synset") << text;
  }
}

}  // namespace
}  // namespace tandem::workloads
