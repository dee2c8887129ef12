#include "runtime/base/metrics.h"

#include <cmath>

namespace tandem::base {

uint64_t Histogram::Count() const {
  uint64_t n = 0;
  for (const auto& b : buckets_) n += b.load(std::memory_order_relaxed);
  return n;
}

uint64_t Histogram::UpperBound(size_t bucket) {
  if (bucket < (1u << kSubBits)) return bucket;
  const auto shift = static_cast<uint32_t>((bucket >> kSubBits) - 1);
  const uint64_t sub = bucket & ((1u << kSubBits) - 1);
  const uint64_t width = uint64_t{1} << shift;
  return (((uint64_t{1} << kSubBits) | sub) << shift) + (width - 1);
}

uint64_t Histogram::QuantileNs(double quantile) const {
  const uint64_t total = Count();
  if (total == 0) return 0;
  const auto rank = static_cast<uint64_t>(std::ceil(quantile * static_cast<double>(total)));
  uint64_t seen = 0;
  for (size_t i = 0; i < kBuckets; ++i) {
    seen += buckets_[i].load(std::memory_order_relaxed);
    if (seen >= rank && seen > 0) return std::min(UpperBound(i), MaxNs());
  }
  return MaxNs();
}

std::map<std::string, uint64_t> Registry::Snapshot() const {
  std::lock_guard lock(mutex_);
  std::map<std::string, uint64_t> out;
  for (const auto& [name, c] : counters_.by_name) out[name] = c->Value();
  for (const auto& [name, m] : maxima_.by_name) out[name] = m->Value();
  for (const auto& [name, h] : histograms_.by_name) {
    out[name + ".count"] = h->Count();
    out[name + ".p50_ns"] = h->QuantileNs(0.5);
    out[name + ".p99_ns"] = h->QuantileNs(0.99);
    out[name + ".max_ns"] = h->MaxNs();
    out[name + ".sum_ns"] = h->SumNs();
  }
  return out;
}

}  // namespace tandem::base
