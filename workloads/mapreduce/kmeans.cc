// K-means by Lloyd's algorithm: each round assigns every point to its nearest centre, and moves the
// centres to the means of their points. The first centres are the first points.
#include <fmt/format.h>

#include <limits>
#include <memory>

#include "workloads/mapreduce/iterative_workload.h"

namespace tandem::workloads {

namespace mapreduce {
namespace {

class KMeans : public IterativeWorkload {
 public:
  KMeans() : IterativeWorkload("kmeans", "MapReduce k-means, the points in the heap", 8, 5) {
    options().AddCount("clusters", "Centres to find", &clusters_, 1, 65536);
  }

 private:
  Status CheckOptions() const override {
    if (clusters_ <= samples_) return Status::Ok();
    return Status::InvalidArgument(
        fmt::format("{} clusters of {} samples: valid are at most as many", clusters_, samples_));
  }

  double MakePoint(uint64_t number, std::span<double> features) const override {
    MakeClusterPoint(seed_, number, clusters_, features);
    return 0;
  }

  std::vector<double> FirstModel() const override {
    std::vector<double> centres(clusters_ * dimensions_);
    for (uint64_t c = 0; c < clusters_; ++c) {
      MakePoint(c, std::span(centres).subspan(c * dimensions_, dimensions_));
    }
    return centres;
  }

  uint64_t Groups() const override { return clusters_; }
  size_t NumbersALine() const override { return dimensions_; }

  // Coordinates, and how many points.
  size_t SumLength() const override { return dimensions_ + 1; }

  uint32_t Measure(const std::vector<double>& centres, const SampleValue& sample,
                   Vector& sums) const override {
    const Vector& point = *sample.features;
    uint32_t nearest = 0;
    double least = std::numeric_limits<double>::infinity();
    for (uint32_t c = 0; c < clusters_; ++c) {
      double distance = 0;
      for (size_t d = 0; d < dimensions_; ++d) {
        const double off = point[d] - centres[c * dimensions_ + d];
        distance += off * off;
      }
      if (distance < least) {
        least = distance;
        nearest = c;
      }
    }
    for (size_t d = 0; d < dimensions_; ++d) sums[d] = point[d];
    sums[dimensions_] = 1;
    return nearest;
  }

  // A centre without points stays.
  void UpdateModel(std::vector<double>& centres,
                   const std::vector<std::vector<double>>& sums) const override {
    for (size_t c = 0; c < sums.size(); ++c) {
      const double points = sums[c][dimensions_];
      if (points == 0) continue;
      for (size_t d = 0; d < dimensions_; ++d) centres[c * dimensions_ + d] = sums[c][d] / points;
    }
  }

  uint64_t clusters_ = 8;
};

}  // namespace
}  // namespace mapreduce

std::unique_ptr<Workload> MakeKMeans() { return std::make_unique<mapreduce::KMeans>(); }

}  // namespace tandem::workloads
