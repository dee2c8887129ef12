#include "rdma/fabric_probe.h"

#include <fmt/format.h>
#include <sched.h>

#include <algorithm>
#include <cstring>
#include <iterator>
#include <utility>

#include "runtime/base/clock.h"

namespace tandem::rdma {

namespace {

// More than is in flight at any time, so that no write waits for another.
constexpr uint64_t kSlabBytes = uint64_t{4} << 20;
static_assert(kSlabBytes >= uint64_t{FabricProbe::kMaxDepth} * FabricProbe::kMaxBytes);
constexpr size_t kMostTransfers = 200'000;
constexpr size_t kWindows = 16;
// With few processors, the server may wait for ours.
constexpr uint64_t kSpinNs = 20'000;
// A single loss is a long transfer; a silent server is an error.
constexpr int kMostTimeOuts = 20;

double Quantile(std::vector<uint64_t>& values, double share) {
  const auto at =
      values.begin() + static_cast<ptrdiff_t>(share * static_cast<double>(values.size() - 1));
  std::nth_element(values.begin(), at, values.end());
  return static_cast<double>(*at);
}

// The median over parts of the measurement: what else the machine did meanwhile hits few of them.
double IntervalNs(uint64_t start_ns, const std::vector<uint64_t>& done_ns) {
  const size_t windows = std::min(kWindows, done_ns.size());
  std::vector<double> intervals;
  uint64_t from_ns = start_ns;
  for (size_t i = 1, first = 0; i <= windows; ++i) {
    const size_t next = done_ns.size() * i / windows;
    intervals.push_back(static_cast<double>(done_ns[next - 1] - from_ns) /
                        static_cast<double>(next - first));
    from_ns = done_ns[next - 1];
    first = next;
  }
  std::nth_element(intervals.begin(), intervals.begin() + windows / 2, intervals.end());
  // Many at once tell nothing of a single one.
  const double mean =
      static_cast<double>(done_ns.back() - start_ns) / static_cast<double>(done_ns.size());
  return intervals[windows / 2] > 0 ? intervals[windows / 2] : mean;
}

}  // namespace

StatusOr<std::unique_ptr<FabricProbe>> FabricProbe::Open(Fabric& fabric) {
  std::unique_ptr<FabricProbe> probe(new FabricProbe(fabric));
  auto buffer = base::OsMemory::Reserve(uint64_t{kMaxDepth} * kMaxBytes, base::kPageSize,
                                        "the probe's buffers");
  if (!buffer.ok()) return buffer.status();
  probe->buffer_ = std::move(*buffer);
  std::memset(probe->buffer_.data(), 0x5a, probe->buffer_.size());
  StatusOr<uint32_t> slab = fabric.LendSlab(kSlabBytes);
  if (!slab.ok()) return slab.status();
  probe->slab_ = *slab;
  Status status = fabric.RegisterBuffer(probe->buffer_.data(), probe->buffer_.size());
  if (!status.ok()) return status;
  auto channel = fabric.OpenChannel();
  if (!channel.ok()) return channel.status();
  probe->channel_ = std::move(*channel);
  probe->depth_ = static_cast<uint32_t>(std::min<size_t>(kMaxDepth, probe->channel_->depth()));
  probe->posted_ns_.resize(kMaxDepth);
  probe->latencies_ns_.reserve(kMostTransfers);
  probe->done_ns_.reserve(kMostTransfers);
  // Else the first to come would measure how the far side's kernel hands out memory.
  StatusOr<bool> filled = probe->Run(Direction::kWrite, base::kPageSize, probe->depth_, UINT64_MAX,
                                     kSlabBytes / base::kPageSize);
  if (!filled.ok()) return filled.status();
  if (!*filled) return Status::Unavailable(fmt::format("{} refuses a page", fabric.Name()));
  return StatusOr<std::unique_ptr<FabricProbe>>(std::move(probe));
}

void FabricProbe::GiveUp() {
  for (uint64_t cookie = 0; cookie < kMaxDepth; ++cookie) (void)channel_->Cancel(cookie);
  Completion dropped[kMaxDepth];
  while (channel_->in_flight() != 0) (void)channel_->Poll(dropped);
}

Status FabricProbe::Silent() const {
  const char* trouble = fabric_.TroubleAt({slab_, 0});
  return Status::Unavailable(fmt::format("no transfer to {} gets through{}{}", fabric_.Name(),
                                         trouble == nullptr ? "" : ": ",
                                         trouble == nullptr ? "" : trouble));
}

StatusOr<bool> FabricProbe::Run(Direction direction, uint32_t bytes, uint32_t depth,
                                uint64_t end_ns, size_t count) {
  latencies_ns_.clear();
  done_ns_.clear();
  const uint64_t step = base::RoundUp(bytes, base::kPageSize);
  uint64_t place = 0;
  std::vector<uint64_t> free;  // cookies that are not in flight
  const auto free_all = [&] {
    free.clear();
    for (uint64_t cookie = depth; cookie-- > 0;) free.push_back(cookie);
  };
  free_all();

  Completion done[kMaxDepth];
  uint64_t now_ns = base::NowNs();
  uint64_t heard_ns = now_ns;
  int time_outs = 0;
  bool refused = false;
  for (;;) {
    // Something is measured, however short the time.
    const bool over =
        refused || (!done_ns_.empty() && (now_ns >= end_ns || done_ns_.size() >= count));
    if (over && channel_->in_flight() == 0) return !refused;
    while (!over && !free.empty()) {
      const uint64_t cookie = free.back();
      const Transfer transfer{.direction = direction,
                              .far = {slab_, place % (kSlabBytes / step) * step},
                              .local = buffer_.data() + cookie * kMaxBytes,
                              .bytes = bytes,
                              .cookie = cookie};
      posted_ns_[cookie] = base::NowNs();
      if (channel_->Post({&transfer, 1}) == 0) break;
      free.pop_back();
      ++place;
    }
    const size_t arrived = channel_->Poll(done);
    now_ns = base::NowNs();
    for (const Completion& completion : std::span(done).first(arrived)) {
      free.push_back(completion.cookie);
      if (completion.outcome == Outcome::kServerLost) {
        GiveUp();
        return Status::Unavailable(fmt::format("the server of {} is gone", fabric_.Name()));
      }
      if (completion.outcome == Outcome::kRefused) {
        refused = true;
      } else if (!over) {
        latencies_ns_.push_back(now_ns - posted_ns_[completion.cookie]);
        done_ns_.push_back(now_ns);
      }
    }
    if (arrived != 0) {
      heard_ns = now_ns;
      time_outs = 0;
    } else if (now_ns - heard_ns > kSpinNs) {
      sched_yield();
    }
    if (now_ns - heard_ns > fabric_.TimeoutNs()) {
      GiveUp();
      if (++time_outs > kMostTimeOuts) return Silent();
      free_all();
      heard_ns = now_ns;
    }
  }
}

StatusOr<std::optional<ProbeResult>> FabricProbe::Measure(Direction direction, uint32_t bytes,
                                                          uint32_t depth, uint64_t duration_ns) {
  const uint64_t start_ns = base::NowNs();
  StatusOr<bool> moved = Run(direction, bytes, depth, start_ns + duration_ns, kMostTransfers);
  if (!moved.ok()) return moved.status();
  if (!*moved && bytes == base::kPageSize) {
    return Status::Unavailable(fmt::format("{} refuses a page", fabric_.Name()));
  }
  if (!*moved) return std::optional<ProbeResult>();
  const LinkSample median{.direction = direction,
                          .bytes = bytes,
                          .depth = depth,
                          .latency_ns = Quantile(latencies_ns_, 0.5),
                          .interval_ns = IntervalNs(start_ns, done_ns_)};
  return std::optional(ProbeResult{
      .median = median, .p99_ns = Quantile(latencies_ns_, 0.99), .transfers = done_ns_.size()});
}

}  // namespace tandem::rdma
