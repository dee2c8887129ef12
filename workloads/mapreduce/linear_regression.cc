// Linear regression by gradient descent on the mean squared error: each round adds up the
// gradients of all samples and takes a step against their mean.
#include <memory>

#include "workloads/mapreduce/iterative_workload.h"

namespace tandem::workloads {

namespace mapreduce {
namespace {

// Features are even in [-1, 1]: the second derivative is 1/3 in each weight and 1 in the
// intercept, so a step of 1 gains a third of a weight's error in a round and converges.
constexpr double kStep = 1;

class LinearRegression : public IterativeWorkload {
 public:
  LinearRegression()
      : IterativeWorkload("linear-regression",
                          "MapReduce linear regression, the samples in the heap", 8, 10) {}

 private:
  double MakePoint(uint64_t number, std::span<double> features) const override {
    return MakeRegressionPoint(seed_, number, features);
  }

  // The intercept, then a weight a feature.
  std::vector<double> FirstModel() const override { return std::vector<double>(dimensions_ + 1); }

  uint64_t Groups() const override { return 1; }
  size_t NumbersALine() const override { return 1; }

  // The gradient's sum in the order of the model, and how many samples.
  size_t SumLength() const override { return dimensions_ + 2; }

  uint32_t Measure(const std::vector<double>& model, const SampleValue& sample,
                   Vector& sums) const override {
    const Vector& features = *sample.features;
    double error = model[0] - sample.target;
    for (size_t d = 0; d < dimensions_; ++d) error += model[d + 1] * features[d];
    sums[0] = error;
    for (size_t d = 0; d < dimensions_; ++d) sums[d + 1] = error * features[d];
    sums[dimensions_ + 1] = 1;
    return 0;
  }

  void UpdateModel(std::vector<double>& model,
                   const std::vector<std::vector<double>>& sums) const override {
    const double samples = sums[0][dimensions_ + 1];
    for (size_t i = 0; i < model.size(); ++i) model[i] -= kStep * sums[0][i] / samples;
  }
};

}  // namespace
}  // namespace mapreduce

std::unique_ptr<Workload> MakeLinearRegression() {
  return std::make_unique<mapreduce::LinearRegression>();
}

}  // namespace tandem::workloads
