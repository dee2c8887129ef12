#include "runtime/swap/staging.h"

#include <sys/mman.h>

#include <algorithm>
#include <bit>

#include "runtime/base/backoff.h"
#include "runtime/base/check.h"
#include "runtime/swap/zero_pages.h"

namespace tandem::swap {
namespace {

uint64_t RunMask(uint32_t first, size_t count) {
  return (count == 64 ? ~uint64_t{0} : (uint64_t{1} << count) - 1) << first;
}

}  // namespace

StatusOr<std::unique_ptr<Staging>> Staging::Create(Userfault& uffd, bool move) {
  auto memory = base::OsMemory::Reserve(kSlots * base::kPageSize, base::kPageSize, "staging");
  if (!memory.ok()) return memory.status();
  madvise(memory->data(), memory->size(), MADV_NOHUGEPAGE);
  madvise(memory->data(), memory->size(), MADV_DONTFORK);
  if (move) {
    // A page can only be moved out of the heap into memory of the same userfaultfd.
    if (Status s = uffd.Register(memory->address(), memory->size(), false); !s.ok()) return s;
  }
  std::unique_ptr<Staging> staging(new Staging(uffd, std::move(*memory)));
  for (auto& word : move ? staging->empty_ : staging->ready_) word.store(~uint64_t{0});
  return staging;
}

SlotRun Staging::Take(Bitmap& bitmap, std::atomic<uint32_t>& hint, size_t want) {
  want = std::min(want, kMaxRun);
  const uint32_t start = hint.load(std::memory_order_relaxed) % kSlots;
  // From the hint to the end of its word, then whole words, then the first word again.
  for (size_t i = 0; i <= kWords; ++i) {
    const size_t w = (start / 64 + i) % kWords;
    // Acquire pairs with the release in Put: the slot's previous use is over.
    uint64_t word = bitmap[w].load(std::memory_order_acquire);
    while (true) {
      const uint64_t usable = i == 0 ? word & (~uint64_t{0} << (start % 64)) : word;
      if (usable == 0) break;
      const auto first = static_cast<uint32_t>(std::countr_zero(usable));
      const size_t count = std::min<size_t>(std::countr_one(usable >> first), want);
      if (bitmap[w].compare_exchange_weak(word, word & ~RunMask(first, count),
                                          std::memory_order_acquire)) {
        const auto slot = static_cast<uint32_t>(w * 64 + first);
        hint.store(static_cast<uint32_t>(slot + count), std::memory_order_relaxed);
        return {slot, static_cast<uint32_t>(count)};
      }
    }
  }
  return {};
}

void Staging::Put(Bitmap& bitmap, SlotRun run) {
  // A run may cross words if the caller put several takes together.
  while (run.count > 0) {
    const uint32_t bit = run.first % 64;
    const uint32_t count = std::min(run.count, 64 - bit);
    const uint64_t mask = RunMask(bit, count);
    const uint64_t before = bitmap[run.first / 64].fetch_or(mask, std::memory_order_release);
    TANDEM_CHECK((before & mask) == 0, "a staging slot was given back twice");
    run.first += count;
    run.count -= count;
  }
}

SlotRun Staging::TakeReady(size_t want) {
  for (base::Backoff backoff;; backoff.Pause()) {
    if (SlotRun run = TryTakeReady(want); run.count > 0) return run;
    if (SlotRun run = TryMakeReady(want); run.count > 0) return run;
  }
}

SlotRun Staging::TryMakeReady(size_t want) {
  const SlotRun run = Take(empty_, empty_hint_, std::min(want, kZeroPages));
  if (run.count > 0) {
    uffd_.Copy(reinterpret_cast<uintptr_t>(Data(run.first)), kZeroes, run.count * base::kPageSize);
  }
  return run;
}

SlotRun Staging::TakeEmpty(size_t want) {
  for (base::Backoff backoff;; backoff.Pause()) {
    if (SlotRun run = Take(empty_, empty_hint_, want); run.count > 0) return run;
    // Many at once, so that they share one flush of the TLBs.
    if (SlotRun run = Take(ready_, ready_hint_, kMaxRun); run.count > 0) {
      Userfault::Unmap(reinterpret_cast<uintptr_t>(Data(run.first)), run.count * base::kPageSize);
      const auto used = static_cast<uint32_t>(std::min<size_t>(run.count, want));
      PutEmpty({run.first + used, run.count - used});
      return {run.first, used};
    }
  }
}

}  // namespace tandem::swap
