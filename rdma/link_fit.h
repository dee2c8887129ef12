// LinkFit: the emulator's parameters that come closest to what was measured of a fabric.
//
// Pure: numbers in, numbers out. The model is LinkModel's. A transfer of s bytes keeps the wire
// busy for operation + s / bandwidth. Alone it takes that and the latency; with enough of them in
// flight one is done each time the wire is free again. So the wire's two parameters are those of a
// line through the intervals between transfers with many in flight, over size, where the wire and
// not the number in flight was the limit, but never slower than what went over it; the latency is
// what remains of a single transfer's time.
//
// The emulator takes time itself, and again when it runs with what was fitted: what it takes with
// no network is subtracted from latencies. Reads decide on the wire, since they are what threads
// wait for; a page is what latencies are fitted at, if there are measurements of it.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "rdma/channel.h"

namespace tandem::rdma {

// What was measured of transfers of one size, with `depth` of them in flight all the time.
struct LinkSample {
  Direction direction = Direction::kRead;
  uint32_t bytes = 0;
  uint32_t depth = 1;
  double latency_ns = 0;   // of one, the median
  double interval_ns = 0;  // between completions
};

struct LinkFit {
  uint64_t read_latency_ns = 0;
  uint64_t write_latency_ns = 0;
  uint64_t operation_ns = 0;
  double bandwidth_mb_s = 0;  // 0: no limit was seen

  // As they stand behind `emulated:none,`.
  std::string Options() const;
};

// `idle` is the same of the emulator without a network; samples of it may be missing. Without
// reads one at a time there is nothing to fit, and all is 0.
LinkFit FitLink(std::span<const LinkSample> measured, std::span<const LinkSample> idle);

}  // namespace tandem::rdma
