// MemoryStore: the far side's memory, in this process.
//
// Slabs are lent once and kept until the store goes; their numbers count up from 0. Any thread
// may call anything. Find takes no lock and is async-signal-safe; the bytes of a slab are not
// synchronised at all: who moves a page orders its transfers.
//
// Invariants
//   1. The table of slabs only grows; an entry, once published, never changes.
//   2. Find never returns a range that leaves its slab.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "rdma/channel.h"
#include "runtime/base/os_memory.h"
#include "tandem/status.h"

namespace tandem::rdma {

class MemoryStore {
 public:
  static constexpr uint32_t kMaxSlabs = 16384;
  static constexpr uint64_t kHugePageSize = 2 << 20;

  MemoryStore() : slabs_(std::make_unique<Slab[]>(kMaxSlabs)) {}

  // Adds a zero-filled slab; `bytes` is a multiple of the page size.
  StatusOr<uint32_t> Lend(uint64_t bytes);

  // Where this range lies; null if there is no such slab or the range leaves it.
  std::byte* Find(FarAddress far, uint64_t bytes) const;

  // The range's content is worthless. Whole huge pages go back to the system and read as zero;
  // the rest keeps its content. A range that does not exist is ignored.
  void Discard(FarAddress far, uint64_t bytes);

  uint64_t lent_bytes() const;
  uint64_t discarded_bytes() const;

 private:
  struct Slab {
    std::atomic<std::byte*> start{nullptr};  // published last
    uint64_t bytes = 0;
  };

  const std::unique_ptr<Slab[]> slabs_;
  std::mutex mutex_;
  std::vector<base::OsMemory> memory_;  // guarded by mutex_; slab i's at index i
  std::atomic<uint64_t> lent_bytes_{0};
  std::atomic<uint64_t> discarded_bytes_{0};
};

}  // namespace tandem::rdma
