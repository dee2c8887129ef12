#include "rdma/memory_store.h"

#include <fmt/format.h>

#include <utility>

namespace tandem::rdma {

StatusOr<uint32_t> MemoryStore::Lend(uint64_t bytes) {
  if (bytes == 0 || bytes % base::kPageSize != 0) {
    return Status::InvalidArgument(fmt::format(
        "a slab of {} bytes: must be a multiple of {} and not 0", bytes, base::kPageSize));
  }
  std::lock_guard lock(mutex_);
  if (memory_.size() == kMaxSlabs) {
    return Status::ResourceExhausted(
        fmt::format("all {} slabs are lent: ask for larger ones", kMaxSlabs));
  }
  StatusOr<base::OsMemory> memory = base::OsMemory::Reserve(bytes, kHugePageSize, "far memory");
  if (!memory.ok()) return memory.status();
  // Makes first touch cheap. A kernel without huge pages refuses; nothing depends on them.
  (void)madvise(memory->data(), bytes, MADV_HUGEPAGE);

  const uint32_t number = static_cast<uint32_t>(memory_.size());
  slabs_[number].bytes = bytes;
  // Release: whoever finds the slab also finds its size.
  slabs_[number].start.store(memory->data(), std::memory_order_release);
  memory_.push_back(std::move(*memory));
  // Relaxed: a statistic.
  lent_bytes_.fetch_add(bytes, std::memory_order_relaxed);
  return number;
}

std::byte* MemoryStore::Find(FarAddress far, uint64_t bytes) const {
  if (far.slab >= kMaxSlabs) return nullptr;
  const Slab& slab = slabs_[far.slab];
  // Acquire: pairs with the release in Lend.
  std::byte* start = slab.start.load(std::memory_order_acquire);
  if (start == nullptr) return nullptr;
  if (far.offset_bytes > slab.bytes || bytes > slab.bytes - far.offset_bytes) return nullptr;
  return start + far.offset_bytes;
}

void MemoryStore::Discard(FarAddress far, uint64_t bytes) {
  std::byte* const start = Find(far, bytes);
  if (start == nullptr) return;
  // Relaxed: a statistic.
  discarded_bytes_.fetch_add(bytes, std::memory_order_relaxed);
  if (bytes < kHugePageSize) return;
  const uintptr_t first = base::RoundUp(reinterpret_cast<uintptr_t>(start), kHugePageSize);
  const uintptr_t end =
      (reinterpret_cast<uintptr_t>(start) + bytes) / kHugePageSize * kHugePageSize;
  if (first < end) (void)madvise(reinterpret_cast<void*>(first), end - first, MADV_DONTNEED);
}

// Relaxed in both: statistics.
uint64_t MemoryStore::lent_bytes() const { return lent_bytes_.load(std::memory_order_relaxed); }
uint64_t MemoryStore::discarded_bytes() const {
  return discarded_bytes_.load(std::memory_order_relaxed);
}

}  // namespace tandem::rdma
