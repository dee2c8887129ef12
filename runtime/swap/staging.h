// Staging: the slots through which pages travel between the heap and the fabric.
//
// A slot is 4 KiB of registered memory. It is *ready* (memory is mapped, a read may land in it),
// *empty* (nothing mapped: a page may be moved into it), or taken. A page that is moved into the
// heap leaves its slot empty, one that is moved out of it makes an empty slot ready; where both
// happen, frames circulate, and the kernel allocates and clears no page in steady state. A page
// that is copied, either way, leaves its slot ready. Where pages cannot be moved, all free slots
// are.
//
// Takers prefer runs of neighbours, since one kernel call then serves them all; going round the
// slots in order keeps runs long. Any thread; lock-free; async-signal-safe but for Create. A
// taker may wait, but only for other takers, and those wait for nothing but the fabric.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "runtime/base/os_memory.h"
#include "runtime/swap/userfault.h"
#include "tandem/status.h"

namespace tandem::swap {

struct SlotRun {
  uint32_t first = 0;
  uint32_t count = 0;
};

class Staging {
 public:
  static constexpr size_t kWords = 32;
  static constexpr size_t kSlots = kWords * 64;  // 8 MiB of address space
  static constexpr size_t kMaxRun = 64;

  // `move`: slots are registered with `uffd` and begin empty; else they begin ready.
  static StatusOr<std::unique_ptr<Staging>> Create(Userfault& uffd, bool move);

  // Take between 1 and `want` neighbouring slots of the wanted kind; wait while there are none.
  // Empty ones are for pages that are moved.
  SlotRun TakeReady(size_t want);
  SlotRun TakeEmpty(size_t want);
  // As TakeReady, but an empty run rather than making or waiting for one.
  SlotRun TryTakeReady(size_t want) { return Take(ready_, ready_hint_, want); }
  // The other half of TakeReady: makes empty slots ready; an empty run if there are none.
  SlotRun TryMakeReady(size_t want);

  void PutReady(SlotRun run) { Put(ready_, run); }
  void PutEmpty(SlotRun run) { Put(empty_, run); }

  std::byte* Data(uint32_t slot) const { return memory_.data() + slot * base::kPageSize; }
  const base::OsMemory& memory() const { return memory_; }

 private:
  using Bitmap = std::array<std::atomic<uint64_t>, kWords>;

  Staging(Userfault& uffd, base::OsMemory memory) : uffd_(uffd), memory_(std::move(memory)) {}

  static SlotRun Take(Bitmap& bitmap, std::atomic<uint32_t>& hint, size_t want);
  static void Put(Bitmap& bitmap, SlotRun run);

  Userfault& uffd_;
  base::OsMemory memory_;
  Bitmap ready_{};
  Bitmap empty_{};
  // Where the next search begins. Relaxed: only a hint.
  std::atomic<uint32_t> ready_hint_{0};
  std::atomic<uint32_t> empty_hint_{0};
};

}  // namespace tandem::swap
