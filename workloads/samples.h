// The data sets of the iterative workloads: made up, the same everywhere, kept in the heap as
//
//   Samples -> Sample        a record, as Spark's data sets have them
//     key -> SampleKey       its number
//     value -> SampleValue
//       features -> Array<double>
//       target               what regression shall predict
//
// A sample's numbers depend on its number and the seed alone. Any thread.
#pragma once

#include <cstdint>
#include <functional>
#include <span>

#include "tandem/array.h"
#include "tandem/persistent.h"
#include "workloads/session.h"

namespace tandem::workloads {

using Vector = Array<double>;

struct SampleKey : GarbageCollected<SampleKey> {
  explicit SampleKey(uint64_t n) : number(n) {}
  const uint64_t number;
};

struct SampleValue : GarbageCollected<SampleValue> {
  SampleValue(Vector* f, double t) : features(f), target(t) {}
  void Trace(Visitor* visitor) const { visitor->Trace(features); }
  Member<Vector> features;
  const double target;
};

struct Sample : GarbageCollected<Sample> {
  Sample(SampleKey* k, SampleValue* v) : key(k), value(v) {}
  void Trace(Visitor* visitor) const {
    visitor->Trace(key);
    visitor->Trace(value);
  }
  Member<SampleKey> key;
  Member<SampleValue> value;
};

using Samples = Array<Member<Sample>>;

// About what a sample takes, its place in the array included.
constexpr uint64_t SampleBytes(uint64_t dimensions) {
  constexpr auto object = [](uint64_t payload) { return (payload + 8 + 15) / 16 * 16; };
  return sizeof(Member<Sample>) + object(sizeof(Sample)) + object(sizeof(SampleKey)) +
         object(sizeof(SampleValue)) + object(sizeof(Vector) + dimensions * sizeof(double));
}

// Points around `clusters` centres, which are at least 8 apart in the first coordinate while noise
// is below 1: sample i belongs to cluster i % clusters. Fills the features.
void MakeClusterPoint(uint64_t seed, uint64_t number, uint64_t clusters,
                      std::span<double> features);

// Features evenly in [-1, 1], target = TrueWeight(0) + sum of TrueWeight(d + 1) * features[d] plus
// noise below 0.1. Returns the target.
double MakeRegressionPoint(uint64_t seed, uint64_t number, std::span<double> features);
double TrueWeight(uint64_t seed, uint64_t index);

// Fills a data set with what `make(number, features)` makes and returns, on `threads` threads.
Status BuildSamples(Session& session, uint64_t threads, uint64_t count, uint64_t dimensions,
                    const std::function<double(uint64_t, std::span<double>)>& make,
                    Persistent<Samples>& samples);

}  // namespace tandem::workloads
