// Metrics: counters and latency histograms, cheap enough to stay on.
//
// A Registry owns its instruments and hands out stable references; names are flat and dotted
// (`fetch.demand.mutator`). Adding to an instrument is one relaxed atomic add on a cache line
// that few other threads use; it never allocates or locks, so the fault handler may do it.
// Creating instruments and taking snapshots lock the registry and belong to set-up and reporting.
//
// All orders are relaxed: a metric orders nothing, and a snapshot is approximate while threads
// run and exact once they are quiet (joined).
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <string>
#include <string_view>

namespace tandem::base {

// Spreads threads over the shards of all instruments. Async-signal-safe.
inline uint32_t ThreadShard() {
  static constinit std::atomic<uint32_t> next{0};
  static thread_local constinit uint32_t mine = UINT32_MAX;
  if (mine == UINT32_MAX) mine = next.fetch_add(1, std::memory_order_relaxed);
  return mine;
}

class Counter {
 public:
  void Add(uint64_t n = 1) {
    shards_[ThreadShard() % kShards].value.fetch_add(n, std::memory_order_relaxed);
  }
  uint64_t Value() const {
    uint64_t sum = 0;
    for (const Shard& s : shards_) sum += s.value.load(std::memory_order_relaxed);
    return sum;
  }

 private:
  static constexpr size_t kShards = 8;
  struct alignas(64) Shard {
    std::atomic<uint64_t> value{0};
  };
  std::array<Shard, kShards> shards_;
};

// A largest value, such as the longest pause.
class Maximum {
 public:
  void Record(uint64_t value) {
    uint64_t seen = value_.load(std::memory_order_relaxed);
    while (value > seen && !value_.compare_exchange_weak(seen, value, std::memory_order_relaxed)) {
    }
  }
  uint64_t Value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_{0};
};

// Durations in nanoseconds, in buckets of relative width 1/8 (log-linear, as HdrHistogram does).
class Histogram {
 public:
  void Record(uint64_t ns) {
    buckets_[BucketOf(ns)].fetch_add(1, std::memory_order_relaxed);
    sum_.fetch_add(ns, std::memory_order_relaxed);
    max_.Record(ns);
  }
  uint64_t Count() const;
  uint64_t SumNs() const { return sum_.load(std::memory_order_relaxed); }
  uint64_t MaxNs() const { return max_.Value(); }
  // The upper bound of the bucket that holds the given quantile (0 to 1); 0 when empty.
  uint64_t QuantileNs(double quantile) const;

 private:
  static constexpr uint32_t kSubBits = 3;
  static constexpr size_t kBuckets = (64 - kSubBits + 1) << kSubBits;

  static size_t BucketOf(uint64_t v) {
    if (v < (1u << kSubBits)) return v;
    const uint32_t shift = static_cast<uint32_t>(std::bit_width(v)) - 1 - kSubBits;
    return ((static_cast<size_t>(shift) + 1) << kSubBits) + ((v >> shift) & ((1u << kSubBits) - 1));
  }
  static uint64_t UpperBound(size_t bucket);

  std::array<std::atomic<uint64_t>, kBuckets> buckets_{};
  std::atomic<uint64_t> sum_{0};
  Maximum max_;
};

class Registry {
 public:
  // The instrument of that name, created at the first call. Valid as long as the registry.
  Counter& GetCounter(std::string_view name) { return Get(counters_, name); }
  Maximum& GetMaximum(std::string_view name) { return Get(maxima_, name); }
  Histogram& GetHistogram(std::string_view name) { return Get(histograms_, name); }

  // All values by name. A histogram `h` appears as h.count, h.p50_ns, h.p99_ns, h.max_ns, h.sum_ns.
  std::map<std::string, uint64_t> Snapshot() const;

 private:
  template <typename T>
  struct Table {
    std::deque<T> items;  // a deque: references stay valid
    std::map<std::string, T*, std::less<>> by_name;
  };
  template <typename T>
  T& Get(Table<T>& table, std::string_view name) {
    std::lock_guard lock(mutex_);
    auto it = table.by_name.find(name);
    if (it == table.by_name.end()) {
      it = table.by_name.emplace(std::string(name), &table.items.emplace_back()).first;
    }
    return *it->second;
  }

  mutable std::mutex mutex_;
  Table<Counter> counters_;
  Table<Maximum> maxima_;
  Table<Histogram> histograms_;
};

}  // namespace tandem::base
