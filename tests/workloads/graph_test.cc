// The graph workload, on graphs whose numbers are known, and on random ones against plain
// implementations on native memory.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "tests/workloads/harness.h"
#include "workloads/graph_source.h"
#include "workloads/rmat.h"

namespace tandem::workloads {
namespace {

// Zachary's karate club: who spends time with whom, 34 members and 78 friendships.
constexpr char kKarateClub[] =
    "2 1\n3 1\n3 2\n4 1\n4 2\n4 3\n5 1\n6 1\n7 1\n7 5\n7 6\n8 1\n8 2\n8 3\n8 4\n9 1\n9 3\n10 3\n"
    "11 1\n11 5\n11 6\n12 1\n13 1\n13 4\n14 1\n14 2\n14 3\n14 4\n17 6\n17 7\n18 1\n18 2\n20 1\n"
    "20 2\n22 1\n22 2\n26 24\n26 25\n28 3\n28 24\n28 25\n29 3\n30 24\n30 27\n31 2\n31 9\n32 1\n"
    "32 25\n32 26\n32 29\n33 3\n33 9\n33 15\n33 16\n33 19\n33 21\n33 23\n33 24\n33 30\n33 31\n"
    "33 32\n34 9\n34 10\n34 14\n34 15\n34 16\n34 19\n34 20\n34 21\n34 23\n34 24\n34 27\n34 28\n"
    "34 29\n34 30\n34 31\n34 32\n34 33\n";

std::string BothDirections(const std::string& edges) {
  std::istringstream in(edges);
  std::string both, from, to;
  while (in >> from >> to) both += fmt::format("{0} {1}\n{1} {0}\n", from, to);
  return both;
}

// What --output says of every vertex.
std::map<std::string, std::string> ResultOf(const std::string& edges, OptionMap options) {
  ScratchFolder scratch;
  WriteAll(scratch.File("edges"), edges);
  options["input"] = {scratch.File("edges")};
  options["output"] = {scratch.File("result")};
  RunTiny("graph", options);
  std::istringstream in(ReadAll(scratch.File("result")));
  std::map<std::string, std::string> result;
  std::string vertex, value;
  while (in >> vertex >> value) result[vertex] = value;
  return result;
}

TEST(GraphTest, RanksTheKarateClubAsNetworkxDoes) {
  auto ranks = ResultOf(BothDirections(kKarateClub), {{"rounds", {"100"}}});
  ASSERT_EQ(ranks.size(), 34u);
  EXPECT_NEAR(std::stod(ranks["34"]), 0.100917, 1e-5);
  EXPECT_NEAR(std::stod(ranks["1"]), 0.096997, 1e-5);
  EXPECT_NEAR(std::stod(ranks["33"]), 0.071692, 1e-5);
  double sum = 0;
  for (const auto& [vertex, rank] : ranks) sum += std::stod(rank);
  EXPECT_NEAR(sum, 1, 1e-6);
}

TEST(GraphTest, VerticesWithoutEdgesShareTheirRankWithAll) {
  // x = .075 + .85 (y / 2), y = .075 + .85 (x + y / 2), with b's rank y.
  auto ranks = ResultOf("a b\n", {{"rounds", {"200"}}});
  EXPECT_NEAR(std::stod(ranks["a"]), 0.350877, 1e-6);
  EXPECT_NEAR(std::stod(ranks["b"]), 0.649123, 1e-6);
}

TEST(GraphTest, CountsTheKarateClubsTriangles) {
  for (const std::string& edges : {std::string(kKarateClub), BothDirections(kKarateClub)}) {
    auto triangles = ResultOf(edges, {{"algorithm", {"triangles"}}});
    uint64_t sum = 0;
    for (const auto& [vertex, count] : triangles) sum += std::stoul(count);
    EXPECT_EQ(sum, 3 * 45u);
    EXPECT_EQ(triangles["1"], "18");
    EXPECT_EQ(triangles["34"], "15");
    EXPECT_EQ(triangles["12"], "0");
  }
}

TEST(GraphTest, CountsTheKarateClubsFriends) {
  auto degrees = ResultOf(kKarateClub, {{"algorithm", {"degree"}}, {"rounds", {"2"}}});
  EXPECT_EQ(degrees["34"], "17");
  EXPECT_EQ(degrees["1"], "16");
  EXPECT_EQ(degrees["12"], "1");
}

TEST(GraphTest, StepsThroughAGridAreItsDistances) {
  std::string edges;
  constexpr int kSide = 20;
  const auto name = [](int x, int y) { return fmt::format("{}/{}", x, y); };
  for (int x = 0; x < kSide; ++x) {
    for (int y = 0; y < kSide; ++y) {
      if (x + 1 < kSide) edges += name(x, y) + " " + name(x + 1, y) + "\n";
      if (y + 1 < kSide) edges += name(x, y) + " " + name(x, y + 1) + "\n";
    }
  }
  auto steps = ResultOf(BothDirections(edges), {{"algorithm", {"bfs"}}, {"sources", {"3"}}});
  ASSERT_EQ(steps.size(), uint64_t{kSide} * kSide);
  int from_x = -1, from_y = -1;
  for (const auto& [vertex, distance] : steps) {
    if (distance == "0") std::sscanf(vertex.c_str(), "%d/%d", &from_x, &from_y);
  }
  for (int x = 0; x < kSide; ++x) {
    for (int y = 0; y < kSide; ++y) {
      EXPECT_EQ(steps[name(x, y)], std::to_string(std::abs(x - from_x) + std::abs(y - from_y)));
    }
  }
}

TEST(GraphTest, WhereNoEdgeLeadsIsUnreached) {
  auto steps = ResultOf("a b\nc c\n", {{"algorithm", {"bfs"}}});
  EXPECT_EQ(steps, (std::map<std::string, std::string>{{"a", "0"}, {"b", "1"}, {"c", "-"}}));
}

TEST(GraphTest, AChainAndARingLeadWhereTheyMust) {
  std::string edges;
  for (int i = 0; i < 50; ++i) edges += fmt::format("chain{} chain{}\n", i, i + 1);
  for (int i = 0; i < 30; ++i) edges += fmt::format("ring{} ring{}\n", i, (i + 1) % 30);
  auto reached = ResultOf(edges, {{"algorithm", {"closure"}}});
  for (int i = 0; i <= 50; ++i) {
    EXPECT_EQ(reached[fmt::format("chain{}", i)], std::to_string(50 - i));
  }
  for (int i = 0; i < 30; ++i) EXPECT_EQ(reached[fmt::format("ring{}", i)], "30");
}

// Of a random graph, by vertex; computed without a heap.
class Reference {
 public:
  explicit Reference(const EdgeList& graph) : out_(graph.vertices), near_(graph.vertices) {
    for (const NumberedEdge edge : graph.edges) {
      out_[edge.from].insert(edge.to);
      near_[edge.from].insert(edge.to);
      near_[edge.to].insert(edge.from);
    }
  }

  uint64_t Triangles(uint32_t vertex) const {
    uint64_t count = 0;
    for (const uint32_t a : near_[vertex]) {
      for (const uint32_t b : near_[vertex]) count += a < b && near_[a].contains(b);
    }
    return count;
  }

  uint64_t Reachable(uint32_t vertex) const {
    std::set<uint32_t> seen;
    std::vector<uint32_t> stack = {vertex};
    while (!stack.empty()) {
      const uint32_t at = stack.back();
      stack.pop_back();
      for (const uint32_t to : out_[at]) {
        if (seen.insert(to).second) stack.push_back(to);
      }
    }
    return seen.size();
  }

  std::vector<double> Ranks(int rounds) const {
    const auto n = static_cast<double>(out_.size());
    std::vector<double> ranks(out_.size(), 1 / n);
    for (int round = 0; round < rounds; ++round) {
      double idle = 0;
      std::vector<double> received(out_.size());
      for (size_t i = 0; i < out_.size(); ++i) {
        if (out_[i].empty()) idle += ranks[i];
        for (const uint32_t to : out_[i]) {
          received[to] += ranks[i] / static_cast<double>(out_[i].size());
        }
      }
      for (size_t i = 0; i < out_.size(); ++i) ranks[i] = .15 / n + .85 * (received[i] + idle / n);
    }
    return ranks;
  }

 private:
  std::vector<std::set<uint32_t>> out_;
  std::vector<std::set<uint32_t>> near_;
};

TEST(GraphTest, AgreesWithPlainImplementationsOnARandomGraph) {
  const EdgeList graph = MakeRmat(256, 1024, 5);
  const Reference reference(graph);
  std::string edges;
  for (const NumberedEdge edge : graph.edges) edges += fmt::format("{} {}\n", edge.from, edge.to);
  auto triangles = ResultOf(edges, {{"algorithm", {"triangles"}}});
  auto reached = ResultOf(edges, {{"algorithm", {"closure"}}});
  for (const auto& [vertex, count] : triangles) {
    const auto number = static_cast<uint32_t>(std::stoul(vertex));
    EXPECT_EQ(count, std::to_string(reference.Triangles(number)));
    EXPECT_EQ(reached[vertex], std::to_string(reference.Reachable(number)));
  }

  ScratchFolder scratch;  // from the generator: its vertices without edges count, too
  RunTiny("graph", {{"vertices", {"256"}},
                    {"edges", {"1024"}},
                    {"seed", {"5"}},
                    {"output", {scratch.File("ranks")}}});
  const std::vector<double> ranks = reference.Ranks(10);
  std::istringstream in(ReadAll(scratch.File("ranks")));
  size_t vertex, count = 0;
  for (double rank; in >> vertex >> rank; ++count) EXPECT_NEAR(rank, ranks[vertex], 1e-7);
  EXPECT_EQ(count, 256u);
}

TEST(GraphTest, AnswerDoesNotDependOnThreadsOrLayout) {
  for (const char* algorithm : {"pagerank", "triangles", "degree", "bfs", "closure"}) {
    const std::string expected = RunTiny("graph", {{"algorithm", {algorithm}}}).checksum;
    EXPECT_EQ(RunTiny("graph", {{"algorithm", {algorithm}}, {"threads", {"1"}}}).checksum,
              expected);
    EXPECT_EQ(RunTiny("graph", {{"algorithm", {algorithm}}, {"layout", {"random"}}}).checksum,
              expected);
    EXPECT_NE(RunTiny("graph", {{"algorithm", {algorithm}}, {"seed", {"2"}}}).checksum, expected);
  }
}

TEST(GraphTest, MakesAGraphOfWordNet) {
  ScratchFolder scratch;
  const OptionMap options = {{"data", {"wordnet"}},
                             {"algorithm", {"bfs"}},
                             {"sources", {"1"}},
                             {"output", {scratch.File("steps")}}};
  if (!std::filesystem::exists("/usr/share/wordnet/data.noun")) {
    EXPECT_EQ(PrepareTiny("graph", options).status().message(),
              "data wordnet is not installed (/usr/share/wordnet/data.noun is missing): install it "
              "with `apt-get install wordnet-base`, or name files with --input");
    return;
  }
  RunTiny("graph", options);
  const std::string steps = ReadAll(scratch.File("steps"));
  EXPECT_EQ(std::count(steps.begin(), steps.end(), '\n'), 117'659);  // says wnstats(7WN)
}

TEST(GraphTest, RefusesInputThatIsNotThereOrNoGraph) {
  ScratchFolder scratch;
  WriteAll(scratch.File("empty"), "# nothing\n");
  const auto empty = PrepareTiny("graph", {{"input", {scratch.File("empty")}}});
  EXPECT_EQ(empty.status().message(), "there is no edge in the input");
  const auto missing = PrepareTiny("graph", {{"input", {scratch.File("missing")}}});
  EXPECT_EQ(missing.status().message(),
            "cannot open " + scratch.File("missing") + ": No such file or directory");
  const auto folder = PrepareTiny("graph", {{"input", {"/"}}});
  EXPECT_EQ(folder.status().message(), "cannot read /: Is a directory");
}

TEST(GraphTest, IsRefusedOnAHeapThatIsTooSmall) {
  for (const char* algorithm : {"pagerank", "closure"}) {
    StatusOr<std::unique_ptr<Workload>> workload =
        PrepareTiny("graph", {{"algorithm", {algorithm}}, {"vertices", {"2048"}}});
    ASSERT_TRUE(workload.ok());
    HeapOptions heap;
    heap.heap_bytes = uint64_t{1} << 20;
    Progress progress;
    EXPECT_EQ(RunOnHeap(**workload, heap, progress).status().code(),
              StatusCode::kResourceExhausted);
  }
}

}  // namespace
}  // namespace tandem::workloads
