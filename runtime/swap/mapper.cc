#include "runtime/swap/mapper.h"

#include <cstring>

#include "runtime/base/clock.h"

namespace tandem::swap {
namespace {

// What a copied page costs later, where pages leave by being moved: the kernel frees the memory
// that is left in the slot. An estimate, of pages that go 64 at a time.
constexpr uint64_t kFreeNs = 500;

}  // namespace

bool Mapper::ShouldMove(size_t pages) {
  if (pages > 1) return MovingIsCheaper(pages);
  if (!can_move_) return false;
  const uint32_t mapped = mapped_.load(std::memory_order_relaxed);
  mapped_.store(mapped + 1, std::memory_order_relaxed);
  return (mapped % kTryOther == 0) != MovingIsCheaper(pages);
}

void Mapper::Map(uintptr_t to, SlotRun slots) {
  std::byte* const from = staging_.Data(slots.first);
  const size_t bytes = slots.count * base::kPageSize;
  const uint64_t start = base::NowNs();
  if (ShouldMove(slots.count)) {
    uffd_.Move(to, reinterpret_cast<uintptr_t>(from), bytes);
    if (slots.count == 1) move_cost_.Note(base::NowNs() - start);
    moved_.Add(slots.count);
    staging_.PutEmpty(slots);
  } else {
    uffd_.Copy(to, from, bytes);
    if (slots.count == 1) copy_cost_.Note(base::NowNs() - start + kFreeNs);
    copied_.Add(slots.count);
    staging_.PutReady(slots);
  }
}

void Mapper::MapZeroes(uintptr_t to, size_t pages) {
  // Frames that evictions have left behind first, if moving is cheap now: clearing one is cheaper
  // than having the kernel allocate one.
  while (pages > 0 && MovingIsCheaper(pages)) {
    const SlotRun run = staging_.TryTakeReady(pages);
    if (run.count == 0) break;
    const size_t bytes = run.count * base::kPageSize;
    std::memset(staging_.Data(run.first), 0, bytes);
    uffd_.Move(to, reinterpret_cast<uintptr_t>(staging_.Data(run.first)), bytes);
    staging_.PutEmpty(run);
    to += bytes;
    pages -= run.count;
  }
  if (pages > 0) uffd_.Copy(to, kZeroes, pages * base::kPageSize);
}

}  // namespace tandem::swap
