#include <gmock/gmock.h>

#include <cmath>
#include <sstream>
#include <string>
#include <vector>

#include "tests/workloads/harness.h"
#include "workloads/samples.h"

namespace tandem::workloads {
namespace {

class IterativeWorkloadsTest : public ::testing::Test {
 protected:
  std::vector<double> Model(const char* workload, OptionMap options) {
    options["output"] = {scratch_.File("model")};
    checksum_ = RunTiny(workload, options).checksum;
    std::istringstream text(ReadAll(options["output"][0]));
    std::vector<double> model;
    for (double number; text >> number;) model.push_back(number);
    return model;
  }

  ScratchFolder scratch_;
  std::string checksum_;
};

// The normal equations, solved by Gaussian elimination.
std::vector<double> LeastSquares(uint64_t seed, uint64_t samples, size_t dimensions) {
  const size_t n = dimensions + 1;
  std::vector<std::vector<double>> a(n, std::vector<double>(n + 1));
  std::vector<double> features(dimensions);
  for (uint64_t i = 0; i < samples; ++i) {
    std::vector<double> row = {1};
    const double target = MakeRegressionPoint(seed, i, features);
    row.insert(row.end(), features.begin(), features.end());
    for (size_t r = 0; r < n; ++r) {
      for (size_t c = 0; c < n; ++c) a[r][c] += row[r] * row[c];
      a[r][n] += row[r] * target;
    }
  }
  for (size_t pivot = 0; pivot < n; ++pivot) {  // positive definite: no exchanges needed
    for (size_t r = 0; r < n; ++r) {
      if (r == pivot) continue;
      const double factor = a[r][pivot] / a[pivot][pivot];
      for (size_t c = pivot; c <= n; ++c) a[r][c] -= factor * a[pivot][c];
    }
  }
  std::vector<double> solution;
  for (size_t r = 0; r < n; ++r) solution.push_back(a[r][n] / a[r][r]);
  return solution;
}

TEST_F(IterativeWorkloadsTest, RegressionConvergesToTheClosedForm) {
  const std::vector<double> model =
      Model("linear-regression",
            {{"samples", {"2000"}}, {"dimensions", {"3"}}, {"rounds", {"60"}}, {"seed", {"7"}}});
  const std::vector<double> expected = LeastSquares(7, 2000, 3);
  ASSERT_EQ(model.size(), 4u);
  for (size_t i = 0; i < model.size(); ++i) {
    EXPECT_NEAR(model[i], expected[i], 1e-6);
    EXPECT_NEAR(model[i], TrueWeight(7, i), 0.02);
  }
}

// Clusters are so far apart that their means are where the rounds must end.
TEST_F(IterativeWorkloadsTest, KMeansFindsTheMeansOfTheClusters) {
  const uint64_t samples = 1000, clusters = 5, dimensions = 3;
  const std::vector<double> model =
      Model("kmeans", {{"samples", {"1000"}}, {"clusters", {"5"}}, {"dimensions", {"3"}}});
  ASSERT_EQ(model.size(), clusters * dimensions);
  std::vector<double> means(clusters * dimensions), point(dimensions);
  for (uint64_t i = 0; i < samples; ++i) {
    MakeClusterPoint(1, i, clusters, point);
    for (size_t d = 0; d < dimensions; ++d) {
      means[i % clusters * dimensions + d] += point[d] / (samples / clusters);
    }
  }
  for (size_t i = 0; i < means.size(); ++i) EXPECT_NEAR(model[i], means[i], 1e-9);
}

TEST_F(IterativeWorkloadsTest, ModelDoesNotDependOnThreads) {
  for (const char* workload : {"kmeans", "linear-regression"}) {
    const OptionMap one = {{"threads", {"1"}}, {"samples", {"500"}}, {"rounds", {"3"}}};
    OptionMap five = one;
    five["threads"] = {"5"};
    const std::vector<double> model = Model(workload, one);
    const std::string checksum = checksum_;
    EXPECT_EQ(Model(workload, five), model);
    EXPECT_EQ(checksum_, checksum);
  }
}

TEST_F(IterativeWorkloadsTest, OneSampleIsItsOwnCentre) {
  std::vector<double> point(2);
  MakeClusterPoint(1, 0, 1, point);
  EXPECT_EQ(Model("kmeans", {{"samples", {"1"}}, {"clusters", {"1"}}, {"dimensions", {"2"}}}),
            point);
}

TEST_F(IterativeWorkloadsTest, MoreClustersThanSamplesAreAnError) {
  EXPECT_EQ(PrepareTiny("kmeans", {{"samples", {"3"}}, {"clusters", {"4"}}}).status().message(),
            "4 clusters of 3 samples: valid are at most as many");
}

}  // namespace
}  // namespace tandem::workloads
