#include "runtime/swap/mapper.h"

#include <cstring>

#include "runtime/base/clock.h"

namespace tandem::swap {

void Mapper::Map(uintptr_t to, SlotRun slots) {
  std::byte* const from = staging_.Data(slots.first);
  const size_t bytes = slots.count * base::kPageSize;
  const bool single = slots.count == 1;
  const bool move = single ? roads_.move() : roads_.MovesRun(slots.count);
  const uint64_t start = single ? base::NowNs() : 0;
  if (move) {
    uffd_.Move(to, reinterpret_cast<uintptr_t>(from), bytes);
    moved_.Add(slots.count);
    staging_.PutEmpty(slots);
  } else {
    uffd_.Copy(to, from, bytes);
    copied_.Add(slots.count);
    staging_.PutReady(slots);
  }
  if (single) roads_.NoteIn(move, base::NowNs() - start);
}

void Mapper::MapZeroes(uintptr_t to, size_t pages) {
  // Frames that evictions have left behind first, if pages go in circles: clearing one is cheaper
  // than having the kernel allocate one.
  while (pages > 0 && roads_.move()) {
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
