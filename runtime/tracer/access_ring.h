// AccessRing: what one mutator has used lately, for a tracer that follows it.
//
// The mutator writes, one tracer reads, nobody waits. When the ring is full the oldest entries are
// overwritten: an access that nobody heard of is no loss, since the normal traversal still
// reaches the object (MemLiner, OSDI'22, calls the ring PQ). A reader that is overtaken while it
// reads gets a newer entry instead, perhaps twice.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

namespace tandem::tracer {

// Which accesses of mutators an order wants to hear of while marking is under way.
enum class AccessLog : uint8_t {
  kNone,
  kPages,    // the first to each page in an epoch, and those that find it far
  kObjects,  // all that pass a barrier, unless the object is marked
  kStores,   // the references that are stored, unless the object is marked
};

class AccessRing {
 public:
  static constexpr size_t kCapacity = 1024;

  // The mutator.
  void Push(uintptr_t address) {
    const uint64_t at = written_.load(std::memory_order_relaxed);  // nobody else writes it
    // Relaxed entry, release count: who sees the count sees this entry or a newer one. What the
    // address refers to was published by whatever let the mutator get at it, and the tracer asks
    // the side tables before it believes in it.
    ring_[at % kCapacity].store(address, std::memory_order_relaxed);
    written_.store(at + 1, std::memory_order_release);
  }

  // The tracer: what was not taken yet, the oldest first, as many as fit; returns how many. The
  // others are there the next time, if they are not overwritten by then.
  size_t Take(std::span<uintptr_t> out) {
    const uint64_t written = written_.load(std::memory_order_acquire);
    if (written - taken_ > entries_) taken_ = written - entries_;
    size_t n = 0;
    for (; taken_ < written && n < out.size(); ++taken_) {
      out[n++] = ring_[taken_ % kCapacity].load(std::memory_order_relaxed);
    }
    return n;
  }
  // Forgets what was written so far. In a handshake's operation, which orders it with Take.
  void Clear() { taken_ = written_.load(std::memory_order_acquire); }
  // From now on only so many of the newest are there to be taken, 1 to kCapacity. As Clear.
  void Resize(size_t entries) { entries_ = entries; }

 private:
  alignas(64) std::atomic<uint64_t> written_{0};
  std::array<std::atomic<uintptr_t>, kCapacity> ring_{};
  alignas(64) uint64_t taken_ = 0;
  size_t entries_ = kCapacity;
};

}  // namespace tandem::tracer
