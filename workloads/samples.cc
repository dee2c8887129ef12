#include "workloads/samples.h"

#include <algorithm>
#include <vector>

#include "workloads/random.h"
#include "workloads/tasks.h"

namespace tandem::workloads {

namespace {

// Evenly in [-1, 1).
double Draw(Random& random) { return static_cast<double>(random.Next() >> 11) * 0x1p-52 - 1; }

Random RandomOf(uint64_t seed, uint64_t number) {
  return Random(Mix(seed) ^ Mix(number + 0x5851f42d4c957f2du));
}

Sample* MakeSample(Mutator& mutator, uint64_t number, std::span<const double> features,
                   double target) {
  auto* vector = Vector::Make(mutator, features.size());
  if (vector == nullptr) return nullptr;
  for (size_t d = 0; d < features.size(); ++d) (*vector)[d] = features[d];
  auto* value = MakeGarbageCollected<SampleValue>(mutator, vector, target);
  if (value == nullptr) return nullptr;
  auto* key = MakeGarbageCollected<SampleKey>(mutator, number);
  return key == nullptr ? nullptr : MakeGarbageCollected<Sample>(mutator, key, value);
}

}  // namespace

void MakeClusterPoint(uint64_t seed, uint64_t number, uint64_t clusters,
                      std::span<double> features) {
  const uint64_t cluster = number % clusters;
  Random centre = RandomOf(seed, ~cluster);
  Random noise = RandomOf(seed, number);
  for (size_t d = 0; d < features.size(); ++d) {
    const double at = d == 0 ? 8 * static_cast<double>(cluster) : 8 * Draw(centre);
    features[d] = at + Draw(noise);
  }
}

double TrueWeight(uint64_t seed, uint64_t index) {
  Random random = RandomOf(seed, ~index);
  return 4 * Draw(random);
}

double MakeRegressionPoint(uint64_t seed, uint64_t number, std::span<double> features) {
  Random random = RandomOf(seed, number);
  double target = TrueWeight(seed, 0);
  for (size_t d = 0; d < features.size(); ++d) {
    features[d] = Draw(random);
    target += TrueWeight(seed, d + 1) * features[d];
  }
  return target + 0.1 * Draw(random);
}

Status BuildSamples(Session& session, uint64_t threads, uint64_t count, uint64_t dimensions,
                    const std::function<double(uint64_t, std::span<double>)>& make,
                    Persistent<Samples>& samples) {
  constexpr const char* kFull = "the heap is full while building the data set";
  samples = Samples::Make(session.mutator(), count);
  if (!samples) return Status::ResourceExhausted(kFull);
  constexpr uint64_t kAtOnce = 1024;
  const uint64_t tasks = (count + kAtOnce - 1) / kAtOnce;
  return RunTasks(session.mutator(), threads, tasks, [&](Mutator& mutator, size_t task) {
    std::vector<double> features(dimensions);
    const uint64_t end = std::min<uint64_t>(count, (task + 1) * kAtOnce);
    for (uint64_t i = task * kAtOnce; i < end; ++i) {
      const double target = make(i, features);
      Sample* sample = MakeSample(mutator, i, features, target);
      if (sample == nullptr) return Status::ResourceExhausted(kFull);
      (*samples)[i] = sample;
    }
    session.progress().Advance(end - task * kAtOnce);
    return Status::Ok();
  });
}

}  // namespace tandem::workloads
