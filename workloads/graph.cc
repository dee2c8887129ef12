// Algorithms on a graph of objects: vertices with lists of edges.
//
// Prepare() reads or generates the graph as a list in native memory (graph_source.h), `build` makes
// objects of it, `measured` runs the algorithm (graph_algorithms.h). The checksum is made of the
// numbers that all vertices have come to.
#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstdio>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "workloads/graph_algorithms.h"
#include "workloads/graph_source.h"
#include "workloads/random.h"
#include "workloads/workload.h"

namespace tandem::workloads {

namespace {

// Of each algorithm, by scale, the vertices and edges of a random graph.
struct GraphSize {
  uint64_t vertices;
  uint64_t edges_per_vertex;
};

constexpr uint64_t kSearches = 8;
constexpr uint64_t kMostClosureSources = 8192;

class GraphWorkload : public Workload {
 public:
  GraphWorkload() : Workload("graph", "PageRank and more on a graph of objects", 2) {
    options().AddChoice("algorithm", "What is computed", &algorithm_,
                        {"pagerank", "triangles", "degree", "bfs", "closure"});
    options().AddChoice("data", "The graph", &source_.data, {"rmat", "debian", "wordnet"});
    options().AddInputFiles("input", "Edge lists, instead of --data", &source_.files);
    options().AddCount("vertices", "Of rmat, rounded up to a power of 2; 0: by scale",
                       &source_.vertices, 0, EdgeList::kMaxVertices);
    options().AddCount("edges", "Of rmat, before equal ones are dropped; 0: by scale",
                       &source_.edges, 0, EdgeList::kMaxEdges);
    options().AddChoice("layout", "In which order edges are made", &layout_, {"source", "random"});
    options().AddCount("rounds", "Of pagerank and degree; 0: 10 and 5", &rounds_, 0, 1000);
    options().AddCount("sources", "Where bfs and closure begin; 0: 8 and all, up to 8192",
                       &sources_wanted_, 0, EdgeList::kMaxVertices);
    options().AddOutputFile("output", "Write what every vertex has come to", &output_);
  }

  void SetScale(Scale scale) override {
    scale_ = scale;
    source_.vertices = source_.edges = 0;
    rounds_ = sources_wanted_ = 0;
  }

  Status Prepare(Progress& progress) override {
    if (source_.files.empty() && source_.data == "rmat") SetRandomSize();
    if (rounds_ == 0) rounds_ = algorithm_ == "pagerank" ? 10 : 5;
    source_.seed = seed_;
    StatusOr<EdgeList> list = ReadGraph(source_, progress);
    if (!list.ok()) return list.status();
    list_ = std::move(*list);
    if (list_.vertices == 0) return Status::InvalidArgument("there is no edge in the input");
    if (algorithm_ == "triangles") OrientByDegree(list_);
    for (const NumberedEdge edge : list_.edges) {
      input_hash_ = Mix(input_hash_ ^ (uint64_t{edge.from} << 32 | edge.to));
    }
    ChooseSources();
    transient_bytes_ = EstimateTransient();
    if (layout_ == "random") {
      Random random(seed_);
      for (size_t i = list_.edges.size(); i > 1; --i) {
        std::swap(list_.edges[i - 1], list_.edges[random.Below(i)]);
      }
    }
    return Status::Ok();
  }

  uint64_t LiveBytes() const override {
    const uint64_t vertex =
        sizeof(Member<Vertex>) + ObjectBytes(sizeof(Vertex)) + ObjectBytes(sizeof(Box));
    return list_.vertices * vertex + list_.edges.size() * ObjectBytes(sizeof(Edge)) +
           transient_bytes_;
  }

  uint64_t InputHash() const override { return input_hash_; }

  StatusOr<std::string> Execute(Session& session) override {
    GraphRun run{session, Persistent<Graph>(session.heap()), threads_, rounds_, sources_};
    {
      Phase build(session, "build");
      run.graph = Graph::Make(session.mutator(), list_);
      if (!run.graph) return HeapFull("making the graph");
    }
    uint64_t hash = 0;
    {
      Phase measured(session, "measured", UnitsOfProgress());
      StatusOr<VertexValues> values = Run(run, &hash);
      if (!values.ok()) return values.status();
      values_ = std::move(*values);
    }
    for (const uint64_t value : values_) hash = Mix(hash ^ value);
    return fmt::format("{:016x}", hash);
  }

  Status WriteOutput() override {
    if (output_.empty()) return Status::Ok();
    std::FILE* file = std::fopen(output_.c_str(), "we");
    bool written = file != nullptr;
    for (uint32_t i = 0; written && i < values_.size(); ++i) {
      const std::string line = fmt::format("{}\t{}\n", list_.LabelOf(i), TextOf(values_[i]));
      written = std::fwrite(line.data(), 1, line.size(), file) == line.size();
    }
    if (file != nullptr && std::fclose(file) != 0) written = false;
    return written ? Status::Ok() : Status::Io("cannot write " + output_);
  }

 private:
  void SetRandomSize() {
    const bool closure = algorithm_ == "closure";
    const auto [vertices, degree] =
        scale_ == Scale::kTiny    ? (closure ? GraphSize{512, 2} : GraphSize{1024, 16})
        : scale_ == Scale::kSmall ? (closure ? GraphSize{2048, 2} : GraphSize{32768, 16})
                                  : (closure ? GraphSize{8192, 2} : GraphSize{262144, 16});
    if (source_.vertices == 0) source_.vertices = vertices;
    source_.vertices = std::bit_ceil(source_.vertices);
    if (source_.edges == 0) source_.edges = degree * source_.vertices;
  }

  // Vertices that have edges, if there are any, in random order.
  void ChooseSources() {
    sources_.clear();
    if (algorithm_ != "bfs" && algorithm_ != "closure") return;
    std::vector<bool> has_edges(list_.vertices);
    for (const NumberedEdge edge : list_.edges) has_edges[edge.from] = true;
    for (uint32_t i = 0; i < list_.vertices; ++i) {
      if (has_edges[i]) sources_.push_back(i);
    }
    if (sources_.empty()) sources_.push_back(0);
    Random random(seed_ + 1);
    for (size_t i = sources_.size(); i > 1; --i) {
      std::swap(sources_[i - 1], sources_[random.Below(i)]);
    }
    const uint64_t wanted = sources_wanted_ != 0      ? sources_wanted_
                            : algorithm_ == "closure" ? kMostClosureSources
                                                      : kSearches;
    if (sources_.size() > wanted) sources_.resize(wanted);
  }

  // What an algorithm has alive at once besides the graph.
  uint64_t EstimateTransient() const {
    constexpr uint64_t kMessageBytes = ObjectBytes(3 * sizeof(Member<Vertex>));
    if (algorithm_ == "triangles") return 0;
    if (algorithm_ == "closure") {
      constexpr uint64_t kPathBytes = ObjectBytes(4 * sizeof(uint64_t));
      return CountReachable() * (kPathBytes + 3 * sizeof(uint64_t) / 2);
    }
    if (algorithm_ == "bfs") return list_.edges.size() * kMessageBytes / 2;
    return list_.edges.size() * kMessageBytes + list_.vertices * 2 * ObjectBytes(sizeof(Box));
  }

  // From all sources, by searching the list, which must be sorted.
  uint64_t CountReachable() const {
    std::vector<size_t> begin(list_.vertices + 1);
    for (const NumberedEdge edge : list_.edges) ++begin[edge.from + 1];
    for (size_t i = 1; i < begin.size(); ++i) begin[i] += begin[i - 1];
    std::vector<size_t> seen_from(list_.vertices, SIZE_MAX);
    std::vector<uint32_t> stack;
    uint64_t reachable = 0;
    for (size_t source = 0; source < sources_.size(); ++source) {
      stack.push_back(sources_[source]);
      while (!stack.empty()) {
        const uint32_t vertex = stack.back();
        stack.pop_back();
        for (size_t i = begin[vertex]; i < begin[vertex + 1]; ++i) {
          const uint32_t to = list_.edges[i].to;
          if (std::exchange(seen_from[to], source) == source) continue;
          ++reachable;
          stack.push_back(to);
        }
      }
    }
    return reachable;
  }

  uint64_t UnitsOfProgress() const {
    if (algorithm_ == "triangles") return kGraphPartitions;
    if (algorithm_ == "bfs" || algorithm_ == "closure") return 0;  // rounds depend on the graph
    return (1 + 2 * rounds_) * kGraphPartitions;
  }

  StatusOr<VertexValues> Run(const GraphRun& run, uint64_t* hash) const {
    if (algorithm_ == "pagerank") return PageRank(run);
    if (algorithm_ == "triangles") return CountTriangles(run);
    if (algorithm_ == "degree") return CountDegrees(run);
    if (algorithm_ == "bfs") return BreadthFirstSearch(run, hash);
    return TransitiveClosure(run);
  }

  std::string TextOf(uint64_t value) const {
    if (algorithm_ == "pagerank") {
      return fmt::format("{:.9f}", static_cast<double>(value) / static_cast<double>(kRankUnit) /
                                       static_cast<double>(list_.vertices));
    }
    return algorithm_ == "bfs" && value == kUnreached ? "-" : std::to_string(value);
  }

  std::string algorithm_ = "pagerank";
  std::string layout_ = "source";
  std::string output_;
  GraphSource source_;
  Scale scale_ = Scale::kDefault;
  uint64_t rounds_ = 0;
  uint64_t sources_wanted_ = 0;
  uint64_t input_hash_ = 0;
  uint64_t transient_bytes_ = 0;
  EdgeList list_;
  std::vector<uint32_t> sources_;
  VertexValues values_;
};

}  // namespace

std::unique_ptr<Workload> MakeGraph() { return std::make_unique<GraphWorkload>(); }

}  // namespace tandem::workloads
