// Channel: one thread's road to far memory, shaped like an RDMA queue pair.
//
// A channel belongs to one thread at a time; no method takes a lock that another channel's user
// can hold for long, allocates, or blocks. Transfers are posted asynchronously out of and into
// *registered* buffers (Fabric::RegisterBuffer) and completions are found by polling.
//
// Invariants
//   1. Between Post and the completion (or Cancel) of a transfer its buffer belongs to the
//      channel: a read may write into it at any time.
//   2. Transfers of one channel and one lane complete in the order posted, unless a fault is
//      injected into one of them.
//   3. A write that was posted earlier on the same channel is never overtaken by a later write
//      to the same place.
//   4. Every transfer that was accepted completes once, is lost (then only Cancel ends it), or
//      is cancelled. Nothing completes after Cancel returned true; a cancelled write may or may
//      not have taken effect.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace tandem::rdma {

// The class of a transfer; smaller goes first.
enum class Lane : uint8_t { kDemand, kPrefetch, kTrace, kWriteBack };
inline constexpr size_t kLaneCount = 4;
inline constexpr const char* kLaneNames[kLaneCount] = {"demand", "prefetch", "trace", "writeback"};

enum class Direction : uint8_t { kRead, kWrite };

// A place on a memory server: a slab that Fabric::LendSlab returned, and a byte offset in it.
struct FarAddress {
  uint32_t slab = 0;
  uint64_t offset_bytes = 0;
};

struct Transfer {
  Direction direction = Direction::kRead;
  Lane lane = Lane::kDemand;
  FarAddress far;
  void* local = nullptr;  // inside a registered buffer
  uint32_t bytes = 0;
  uint64_t cookie = 0;  // the poster's name for this transfer; unique among those in flight
};

// Whether two transfers are about the same bytes of far memory, some at least.
inline bool Overlap(const Transfer& a, const Transfer& b) {
  return a.far.slab == b.far.slab && a.far.offset_bytes < b.far.offset_bytes + b.bytes &&
         b.far.offset_bytes < a.far.offset_bytes + a.bytes;
}

enum class Outcome : uint8_t {
  kDone,
  kServerLost,  // the far side is gone: no transfer to it will ever succeed again
  kRefused,     // the far side rejected the request (bad key or bounds)
};

struct Completion {
  uint64_t cookie = 0;
  Outcome outcome = Outcome::kDone;
};

class Channel {
 public:
  virtual ~Channel() = default;

  // Posts transfers in order; returns how many were accepted, less than all of them when the
  // queue is full. The others may be posted again after a Poll that returned completions.
  virtual size_t Post(std::span<const Transfer> transfers) = 0;

  // Fills `done` with completions and returns their number; 0 when nothing has completed yet.
  virtual size_t Poll(std::span<Completion> done) = 0;

  // Gives up a transfer in flight (time-out). True: it was still in flight, will never complete,
  // and its buffer is the caller's again. False: its completion is already waiting for Poll.
  virtual bool Cancel(uint64_t cookie) = 0;

  // How many transfers may be in flight, and are.
  virtual size_t depth() const = 0;
  virtual size_t in_flight() const = 0;
};

}  // namespace tandem::rdma
