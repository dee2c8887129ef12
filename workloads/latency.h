// LatencyHistogram: how long operations took, one thread's or the sum of several.
//
// Buckets are 1/16 wide, so that a quantile is up to 6 % above the truth; 8 KB. Not synchronised.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <chrono>
#include <cstdint>
#include <map>
#include <string>

namespace tandem::workloads {

class LatencyHistogram {
 public:
  void Record(uint64_t ns) {
    ++counts_[BucketOf(ns)];
    sum_ns_ += ns;
    max_ns_ = std::max(max_ns_, ns);
  }

  void Merge(const LatencyHistogram& other) {
    for (size_t i = 0; i < kBuckets; ++i) counts_[i] += other.counts_[i];
    sum_ns_ += other.sum_ns_;
    max_ns_ = std::max(max_ns_, other.max_ns_);
  }

  uint64_t Count() const {
    uint64_t count = 0;
    for (const uint64_t bucket : counts_) count += bucket;
    return count;
  }

  // The least upper bound of a bucket below which that share of all lies; 0 of nothing.
  uint64_t QuantileNs(double share) const {
    const uint64_t count = Count();
    const auto wanted = static_cast<uint64_t>(share * static_cast<double>(count));
    uint64_t below = 0;
    for (size_t i = 0; i < kBuckets && count != 0; ++i) {
      below += counts_[i];
      if (below > wanted || below == count) return std::min(LastOf(i), max_ns_);
    }
    return 0;
  }

  // Named as the heap's own histograms are, with more quantiles: NAME.count, NAME.p50_ns,
  // NAME.p90_ns, NAME.p99_ns, NAME.p999_ns, NAME.p9999_ns, NAME.max_ns, NAME.sum_ns.
  void AddTo(const std::string& name, std::map<std::string, uint64_t>& counters) const {
    counters[name + ".count"] = Count();
    counters[name + ".p50_ns"] = QuantileNs(0.5);
    counters[name + ".p90_ns"] = QuantileNs(0.9);
    counters[name + ".p99_ns"] = QuantileNs(0.99);
    counters[name + ".p999_ns"] = QuantileNs(0.999);
    counters[name + ".p9999_ns"] = QuantileNs(0.9999);
    counters[name + ".max_ns"] = max_ns_;
    counters[name + ".sum_ns"] = sum_ns_;
  }

 private:
  static constexpr unsigned kBits = 4;  // of a value below its highest one that choose the bucket
  static constexpr size_t kBuckets = (65 - kBits) << kBits;

  static size_t BucketOf(uint64_t ns) {
    if (ns >> kBits == 0) return ns;
    const auto shift = static_cast<unsigned>(std::bit_width(ns)) - kBits - 1;
    return (size_t{shift} << kBits) + (ns >> shift);
  }

  static uint64_t LastOf(size_t bucket) {
    if (bucket >> (kBits + 1) == 0) return bucket;
    const size_t shift = (bucket >> kBits) - 1;
    const uint64_t first = (bucket - (shift << kBits)) << shift;
    return first + (uint64_t{1} << shift) - 1;
  }

  std::array<uint64_t, kBuckets> counts_{};
  uint64_t sum_ns_ = 0;
  uint64_t max_ns_ = 0;
};

// Times operations that follow one another with one look at the clock for each. What happens
// between two of them is part of the second, a wait at a safepoint too.
class LapClock {
 public:
  // Nanoseconds since the last call, or since it was made.
  uint64_t Lap() {
    const auto now = std::chrono::steady_clock::now();
    const auto lap = std::chrono::duration_cast<std::chrono::nanoseconds>(now - last_);
    last_ = now;
    return static_cast<uint64_t>(lap.count());
  }

 private:
  std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
};

}  // namespace tandem::workloads
