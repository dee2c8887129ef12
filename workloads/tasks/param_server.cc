// Parameter server: linear regression by synchronous gradient descent. Actors hold the weights, a
// slice each; tasks compute gradients of parts of the data, which is in the heap throughout.
//
//   each round:   Slice::Weights of all  -->  Gradient(part, weights) for each part
//                                        -->  Slice::Step(gradients) of all
//
// No step waits for the driver: rounds are a graph of futures. Gradients are added up in the order
// of the parts, so the weights are the same to the last bit however tasks were scheduled.
#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "workloads/output_file.h"
#include "workloads/random.h"
#include "workloads/samples.h"
#include "workloads/tasks/task_workload.h"

namespace tandem::workloads {

namespace tasks {
namespace {

// Converges: see linear_regression.cc.
constexpr double kStep = 1;

using Gradients = std::vector<Future<Vector>>;

// Part of the weights: those from `first` on. Never changes a vector, for tasks may read it.
struct Slice : GarbageCollected<Slice> {
  Slice(Vector* w, uint64_t f) : weights(w), first(f) {}
  void Trace(Visitor* visitor) const { visitor->Trace(weights); }

  Vector* Weights(Context&) { return weights; }

  Vector* Step(Context& context, const Gradients& gradients, uint64_t samples) {
    const Vector& old = *weights;
    Vector* moved = context.MakeArray<double>(old.length());
    for (size_t i = 0; i < old.length(); ++i) (*moved)[i] = 0;
    for (const Future<Vector>& future : gradients) {
      const Vector& gradient = *future.Result();
      for (size_t i = 0; i < old.length(); ++i) (*moved)[i] += gradient[first + i];
    }
    for (size_t i = 0; i < old.length(); ++i) {
      (*moved)[i] = old[i] - kStep * (*moved)[i] / static_cast<double>(samples);
    }
    weights = moved;
    return moved;
  }

  Member<Vector> weights;
  const uint64_t first;
};

struct Part {
  uint64_t begin;
  uint64_t end;
};

// The intercept's, then a number a feature.
Vector* Gradient(Context& context, Samples* samples, Part part, const Gradients& slices,
                 uint64_t dimensions) {
  std::vector<double> weights;
  for (const Future<Vector>& future : slices) {
    const Vector& slice = *future.Result();
    for (size_t i = 0; i < slice.length(); ++i) weights.push_back(slice[i]);
  }
  Vector* sums = context.MakeArray<double>(dimensions + 1);
  for (uint64_t n = part.begin; n < part.end; ++n) {
    const SampleValue& sample = *(*samples)[n]->value;
    const Vector& features = *sample.features;
    double error = weights[0] - sample.target;
    for (size_t d = 0; d < dimensions; ++d) error += weights[d + 1] * features[d];
    (*sums)[0] += error;
    for (size_t d = 0; d < dimensions; ++d) (*sums)[d + 1] += error * features[d];
    if (n % 1024 == 0) context.mutator().Safepoint();
  }
  return sums;
}

class ParamServer : public TaskWorkload {
 public:
  ParamServer() : TaskWorkload("param-server", "Actors hold weights, tasks compute gradients") {
    options().AddCount("samples", "Records of the data set", &samples_, 1, uint64_t{1} << 32);
    options().AddCount("dimensions", "Features of a record", &dimensions_, 1, 4096);
    options().AddCount("rounds", "Steps of the descent", &rounds_, 1, 1 << 20);
    options().AddCount("parts", "Parts of the data: tasks of a round", &parts_, 1, 1 << 16);
    options().AddCount("slices", "Parts of the weights: actors", &slices_, 1, 4096);
    options().AddOutputFile("output", "File to write the weights to", &output_.path);
  }

  void SetScale(Scale scale) override {
    samples_ = scale == Scale::kTiny ? 16'000 : scale == Scale::kSmall ? 100'000 : 1'000'000;
  }

  Status Prepare(Progress&) override { return output_.Check(); }

  uint64_t LiveBytes() const override { return samples_ * SampleBytes(dimensions_); }

  Status WriteOutput() override { return output_.Write(lines_); }

 private:
  StatusOr<std::string> RunTasks(Session& session, Context& context) override {
    Persistent<Samples> samples(session.heap());
    {
      Phase build(session, "build", samples_);
      Status status = BuildSamples(
          session, threads_, samples_, dimensions_,
          [this](uint64_t number, std::span<double> features) {
            return MakeRegressionPoint(seed_, number, features);
          },
          samples);
      if (!status.ok()) return status;
    }
    Phase measured(session, "measured", rounds_);
    std::vector<Actor<Slice>> slices = MakeSlices(context);
    Gradients last;
    for (uint64_t round = 0; round < rounds_; ++round) {
      Gradients weights;
      for (Actor<Slice>& slice : slices) weights.push_back(slice.Call(context, &Slice::Weights));
      Gradients gradients;
      const uint64_t parts = std::min(parts_, samples_);
      for (uint64_t p = 0; p < parts; ++p) {
        const Part part = {p * samples_ / parts, (p + 1) * samples_ / parts};
        gradients.push_back(context.Remote(Gradient, samples.Get(), part, weights, dimensions_));
      }
      // One round ahead of what is being computed, no more, so that futures do not pile up.
      context.Wait(last, last.size());
      last.clear();
      for (Actor<Slice>& slice : slices) {
        last.push_back(slice.Call(context, &Slice::Step, gradients, samples_));
      }
      session.progress().Advance(1);
    }
    lines_.clear();
    for (const Future<Vector>& future : last) {
      const Vector& slice = *context.Get(future);
      for (size_t i = 0; i < slice.length(); ++i) {
        fmt::format_to(std::back_inserter(lines_), "{:.17g}\n", slice[i]);
      }
    }
    return fmt::format("{:016x}", HashBytes(lines_));
  }

  std::vector<Actor<Slice>> MakeSlices(Context& context) const {
    std::vector<Actor<Slice>> slices;
    const uint64_t weights = dimensions_ + 1;
    const uint64_t count = std::min(slices_, weights);
    for (uint64_t s = 0; s < count; ++s) {
      const uint64_t first = s * weights / count;
      const uint64_t length = (s + 1) * weights / count - first;
      slices.push_back(context.MakeActor(
          [](Context& own, uint64_t at, uint64_t n) {
            return own.Make<Slice>(own.MakeArray<double>(n), at);
          },
          first, length));
    }
    return slices;
  }

  uint64_t samples_ = 0;
  uint64_t dimensions_ = 8;
  uint64_t rounds_ = 10;
  uint64_t parts_ = 64;
  uint64_t slices_ = 4;
  OutputFile output_;
  std::string lines_;  // the last run's result
};

}  // namespace
}  // namespace tasks

std::unique_ptr<Workload> MakeParamServer() { return std::make_unique<tasks::ParamServer>(); }

}  // namespace tandem::workloads
