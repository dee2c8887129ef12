#include "rdma/link_fit.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <vector>

#include "runtime/base/os_memory.h"

namespace tandem::rdma {

namespace {

// With less than this over what latency and depth alone would give, the wire was not the limit.
constexpr double kWireBound = 1.25;

// How long a transfer keeps the wire busy.
struct WireCost {
  double operation_ns = 0;
  double ns_per_byte = 0;

  double BusyNs(uint32_t bytes) const { return operation_ns + ns_per_byte * bytes; }
};

struct Point {
  double bytes = 0;
  double ns = 0;
};

// The line with the least sum of squares of relative errors: a page's nanoseconds count as much as
// those of a transfer that takes ten times as long. Neither parameter is negative.
WireCost FitLine(const std::vector<Point>& points) {
  double w = 0, wx = 0, wy = 0, wxx = 0, wxy = 0;
  for (const Point& p : points) {
    const double weight = 1 / (p.ns * p.ns);
    w += weight;
    wx += weight * p.bytes;
    wy += weight * p.ns;
    wxx += weight * p.bytes * p.bytes;
    wxy += weight * p.bytes * p.ns;
  }
  if (points.empty()) return {};
  const double determinant = w * wxx - wx * wx;
  // One size tells nothing of what is due to its bytes: all of it is taken to be.
  const bool one_size = determinant <= 1e-9 * w * wxx;
  const double slope = one_size ? wxy / wxx : (w * wxy - wx * wy) / determinant;
  const double start = one_size ? 0 : (wy - slope * wx) / w;
  if (start < 0) return {0, wxy / wxx};
  if (slope < 0) return {wy / w, 0};
  return {start, slope};
}

class Measurements {
 public:
  explicit Measurements(std::span<const LinkSample> samples) : samples_(samples) {}

  // {size: latency of one at a time}.
  std::map<uint32_t, double> Latencies(Direction direction) const {
    std::map<uint32_t, double> found;
    for (const LinkSample& sample : samples_) {
      if (sample.direction == direction && sample.depth == 1 && sample.latency_ns > 0) {
        found[sample.bytes] = sample.latency_ns;
      }
    }
    return found;
  }

  // The shortest interval at each size of those at which the wire was the limit.
  std::vector<Point> WireBound(Direction direction) const {
    std::vector<Point> found;
    for (const auto& [bytes, latency_ns] : Latencies(direction)) {
      const LinkSample* best = nullptr;
      for (const LinkSample& sample : samples_) {
        if (sample.direction != direction || sample.bytes != bytes || sample.depth == 1 ||
            sample.interval_ns <= 0) {
          continue;
        }
        if (best == nullptr || sample.interval_ns < best->interval_ns) best = &sample;
      }
      if (best != nullptr && best->interval_ns > kWireBound * latency_ns / best->depth) {
        found.push_back({static_cast<double>(bytes), best->interval_ns});
      }
    }
    return found;
  }

  // No wire is slower than what went over it. On a machine that does much else, a fit to what was
  // measured of small transfers would say so.
  WireCost Bounded(Direction direction, WireCost wire) const {
    for (const LinkSample& sample : samples_) {
      if (sample.direction != direction || sample.interval_ns <= 0) continue;
      wire.operation_ns = std::min(wire.operation_ns, sample.interval_ns);
      wire.ns_per_byte = std::min(wire.ns_per_byte, sample.interval_ns / sample.bytes);
    }
    return wire;
  }

 private:
  std::span<const LinkSample> samples_;
};

// What grows with the size when there is one transfer at a time; its constant part is latency.
WireCost SlopeOf(const std::map<uint32_t, double>& latencies,
                 const std::map<uint32_t, double>& idle) {
  std::vector<Point> points;
  for (const auto& [bytes, ns] : latencies) {
    const auto own = idle.find(bytes);
    const double net_ns = ns - (own == idle.end() ? 0 : own->second);
    if (net_ns > 0) points.push_back({static_cast<double>(bytes), net_ns});
  }
  if (points.size() < 2) return {};
  return {0, FitLine(points).ns_per_byte};
}

uint64_t LatencyNs(const std::map<uint32_t, double>& latencies,
                   const std::map<uint32_t, double>& idle, const WireCost& wire) {
  std::vector<double> rest;
  for (const auto& [bytes, ns] : latencies) {
    const auto own = idle.find(bytes);
    rest.push_back(ns - (own == idle.end() ? 0 : own->second) - wire.BusyNs(bytes));
    if (bytes == base::kPageSize) {
      rest = {rest.back()};
      break;
    }
  }
  if (rest.empty()) return 0;
  std::nth_element(rest.begin(), rest.begin() + rest.size() / 2, rest.end());
  return static_cast<uint64_t>(std::llround(std::max(0.0, rest[rest.size() / 2])));
}

}  // namespace

std::string LinkFit::Options() const {
  return fmt::format("read_latency_ns={},write_latency_ns={},operation_ns={},bandwidth_mb_s={}",
                     read_latency_ns, write_latency_ns, operation_ns, bandwidth_mb_s);
}

LinkFit FitLink(std::span<const LinkSample> measured, std::span<const LinkSample> idle) {
  const Measurements fabric(measured), emulator(idle);
  const auto reads = fabric.Latencies(Direction::kRead);
  if (reads.empty()) return {};
  const auto idle_reads = emulator.Latencies(Direction::kRead);
  const std::vector<Point> bound = fabric.WireBound(Direction::kRead);
  const WireCost wire =
      fabric.Bounded(Direction::kRead, bound.empty() ? SlopeOf(reads, idle_reads) : FitLine(bound));

  LinkFit fit;
  fit.operation_ns = static_cast<uint64_t>(std::llround(wire.operation_ns));
  // A byte a nanosecond is 1000 MB/s. To three digits: no measurement is better.
  if (wire.ns_per_byte > 0) {
    const double mb_s = 1000 / wire.ns_per_byte;
    const double unit = std::pow(10, std::floor(std::log10(mb_s)) - 2);
    fit.bandwidth_mb_s = unit < 1 ? std::round(mb_s * 1000) / 1000 : std::round(mb_s / unit) * unit;
  }
  fit.read_latency_ns = LatencyNs(reads, idle_reads, wire);
  fit.write_latency_ns =
      LatencyNs(fabric.Latencies(Direction::kWrite), emulator.Latencies(Direction::kWrite), wire);
  return fit;
}

}  // namespace tandem::rdma
