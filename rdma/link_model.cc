#include "rdma/link_model.h"

#include <algorithm>

namespace tandem::rdma {

namespace {

constexpr LinkPreset kPresets[] = {
    {"rdma100", 2400, 1250, 10700, false, "100 Gb/s RDMA, fitted to measurements"},
    {"rdma40", 3000, 1600, 4500, false, "40 Gb/s RDMA, assumed figures; the default"},
    {"rdma40-share", 3000, 1600, 4500, true,
     "rdma40's latency, and the part of its bandwidth that our cores have on a 16-core machine"},
    {"tcp", 30000, 30000, 1100, false, "10 Gb/s TCP, assumed figures"},
    {"none", 0, 0, 0, false, "no latency, unlimited bandwidth: costs what the copies cost"},
};

// The lanes' times are numbers that publish nothing but themselves, so relaxed is enough; what a
// sender misses of another that runs at the same moment is the slip that the header allows. The
// one exception is a queue's `pushed_ns`: see Send.
constexpr auto kTimeOrder = std::memory_order_relaxed;

}  // namespace

std::span<const LinkPreset> LinkPresets() { return kPresets; }

uint64_t LinkModel::OccupancyNs(uint32_t bytes) const {
  const uint64_t rate = parameters_.bytes_per_second;
  if (rate == 0) return parameters_.operation_ns;
  return parameters_.operation_ns + (bytes * uint64_t{1'000'000'000} + rate - 1) / rate;
}

Passage LinkModel::Send(Direction direction, Lane lane, uint32_t bytes, uint64_t now_ns) {
  Wire& wire = wires_[static_cast<size_t>(direction)];
  const size_t index = static_cast<size_t>(lane);
  const uint64_t latency_ns =
      direction == Direction::kRead ? parameters_.read_latency_ns : parameters_.write_latency_ns;
  const uint64_t occupancy_ns = OccupancyNs(bytes);
  Passage passage{.start_ns = now_ns, .rest_ns = latency_ns, .started = true};
  if (occupancy_ns == 0) return passage;

  Queue& own = wire.queues[index];
  // Acquire, before `free_at_ns` is read: pairs with the release below, so that a push-back that
  // we believe to be in our start time is in it. The reverse race counts it twice, which only
  // makes us late.
  passage.pushed_ns = own.pushed_ns.load(std::memory_order_acquire);
  passage.rest_ns += occupancy_ns;
  passage.started = false;

  const uint64_t idle_start_ns = now_ns + RestOfLowerTransferNs(wire, index, now_ns);
  uint64_t free_at_ns = own.free_at_ns.load(kTimeOrder);
  do {
    passage.start_ns = free_at_ns > now_ns ? free_at_ns : idle_start_ns;
  } while (!own.free_at_ns.compare_exchange_weak(free_at_ns, passage.start_ns + occupancy_ns,
                                                 kTimeOrder));
  own.occupancy_ns.store(occupancy_ns, kTimeOrder);

  for (size_t lower = index + 1; lower < kLaneCount; ++lower) {
    Queue& queue = wire.queues[lower];
    free_at_ns = queue.free_at_ns.load(kTimeOrder);
    while (!queue.free_at_ns.compare_exchange_weak(
        free_at_ns, std::max(free_at_ns, passage.start_ns) + occupancy_ns, kTimeOrder)) {
    }
    // Something waits there that goes on the wire only after us.
    if (free_at_ns > passage.start_ns) {
      // Release: whoever sees this push-back also sees it in `free_at_ns`.
      queue.pushed_ns.fetch_add(occupancy_ns, std::memory_order_release);
    }
  }
  return passage;
}

// What is left of the transfer that is on the wire, if it is of a lane lower than `lane` and the
// lanes down to `lane` are idle. The first busy lane is the one that sends, and its transfers end
// back to back up to `free_at_ns`.
uint64_t LinkModel::RestOfLowerTransferNs(const Wire& wire, size_t lane, uint64_t now_ns) {
  for (size_t lower = lane + 1; lower < kLaneCount; ++lower) {
    const uint64_t free_at_ns = wire.queues[lower].free_at_ns.load(kTimeOrder);
    const uint64_t occupancy_ns = wire.queues[lower].occupancy_ns.load(kTimeOrder);
    if (free_at_ns > now_ns && occupancy_ns != 0) return (free_at_ns - now_ns) % occupancy_ns;
  }
  return 0;
}

bool LinkModel::Arrived(Direction direction, Lane lane, Passage& passage, uint64_t now_ns) const {
  if (!passage.started) {
    if (now_ns < passage.start_ns) return false;
    const Queue& queue = wires_[static_cast<size_t>(direction)].queues[static_cast<size_t>(lane)];
    const uint64_t pushed_ns = queue.pushed_ns.load(kTimeOrder);
    passage.start_ns += pushed_ns - passage.pushed_ns;
    passage.pushed_ns = pushed_ns;
    if (now_ns < passage.start_ns) return false;
    passage.started = true;
  }
  return now_ns >= passage.due_ns();
}

}  // namespace tandem::rdma
