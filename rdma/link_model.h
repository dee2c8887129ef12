// LinkModel: when a transfer over an emulated network link arrives.
//
// A transfer occupies its direction's wire for a fixed time (what an operation costs whatever its
// size; usually 0) and bytes / bandwidth, and then takes the base latency, which is pipelined and
// occupies nothing. Both directions are independent (full duplex) and
// shared by all channels of a fabric, which owns the model. Lanes have strict priority, but a
// transfer that is on the wire is not interrupted: one waits for what was sent before it in its
// own and higher lanes, for what higher lanes send before it starts, and for at most one transfer
// of a lower lane.
//
// Time is passed in, so the model is deterministic. Any thread may call; lock-free and
// async-signal-safe.
//
// Invariants
//   1. A lane's `free_at_ns` is the time at which all that was sent in it and in higher lanes has
//      left the wire, so it never falls from a lane to the next lower one.
//   2. Hence what has arrived by a time t never exceeds what the bandwidth allows by t, but for a
//      slip of at most one transfer a lane (sizes of what is on the wire are guessed, see
//      RestOfLowerTransferNs) and one for each sender that races with another.
#pragma once

#include <atomic>
#include <cstdint>
#include <span>

#include "rdma/channel.h"

namespace tandem::rdma {

struct LinkParameters {
  uint64_t read_latency_ns = 0;
  uint64_t write_latency_ns = 0;
  uint64_t operation_ns = 0;      // on the wire, on top of what its bytes take
  uint64_t bytes_per_second = 0;  // each way; 0 is unlimited
};

// A network known by name.
struct LinkPreset {
  const char* name;
  uint64_t read_latency_ns;
  uint64_t write_latency_ns;
  double bandwidth_mb_s;  // 10^6 bytes a second, each way; 0 is unlimited
  bool shared;            // the bandwidth is a 16-core machine's, of which we get our cores' part
  const char* summary;
};
std::span<const LinkPreset> LinkPresets();

// One transfer's way over the link. Owned by the sender; see LinkModel::Arrived.
struct Passage {
  uint64_t start_ns = 0;   // when it goes on the wire, as far as is known
  uint64_t rest_ns = 0;    // from then to its arrival
  uint64_t pushed_ns = 0;  // the lane's `pushed_ns` that is part of `start_ns`
  bool started = false;    // on the wire: nothing pushes it back any more

  uint64_t due_ns() const { return start_ns + rest_ns; }
};

class LinkModel {
 public:
  explicit LinkModel(const LinkParameters& parameters) : parameters_(parameters) {}

  // False if every transfer arrives at once, whatever the time.
  bool TakesTime() const {
    return parameters_.bytes_per_second != 0 || parameters_.operation_ns != 0 ||
           parameters_.read_latency_ns != 0 || parameters_.write_latency_ns != 0;
  }

  // Sends a transfer now.
  Passage Send(Direction direction, Lane lane, uint32_t bytes, uint64_t now_ns);

  // Whether it has arrived by now. Takes into `passage` what higher lanes have sent since.
  bool Arrived(Direction direction, Lane lane, Passage& passage, uint64_t now_ns) const;

  // How long a transfer is on the wire.
  uint64_t OccupancyNs(uint32_t bytes) const;

 private:
  // One lane of one direction.
  struct alignas(64) Queue {
    std::atomic<uint64_t> free_at_ns{0};
    std::atomic<uint64_t> pushed_ns{0};     // by how much higher lanes delayed what was waiting
    std::atomic<uint64_t> occupancy_ns{0};  // of the transfer sent last
  };
  struct Wire {
    Queue queues[kLaneCount];
  };

  static uint64_t RestOfLowerTransferNs(const Wire& wire, size_t lane, uint64_t now_ns);

  const LinkParameters parameters_;
  Wire wires_[2];
};

}  // namespace tandem::rdma
