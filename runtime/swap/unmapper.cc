#include "runtime/swap/unmapper.h"

#include <array>

#include "runtime/base/clock.h"
#include "runtime/base/signals_blocked.h"

namespace tandem::swap {
namespace {

// How many of the first pages are neighbours.
size_t RunOf(std::span<const PageIndex> pages) {
  size_t run = 1;
  while (run < pages.size() && pages[run] == pages[0] + run) ++run;
  return run;
}

// Copies a page that mutators may still be reading and have written without telling anyone. Not
// memcpy: race detectors would rightly see a race there, which the write protection rules out.
void CopyProtectedPage(std::byte* to, uintptr_t from) {
#if defined(__x86_64__)
  size_t bytes = base::kPageSize;
  asm volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(bytes) : : "memory");
#else
  const volatile uint64_t* source = reinterpret_cast<const uint64_t*>(from);
  auto* target = reinterpret_cast<volatile uint64_t*>(to);
  for (size_t i = 0; i < base::kPageSize / 8; ++i) target[i] = source[i];
#endif
}

// Each has a neighbour, and there are two runs at most: to move them takes no more flushes than to
// copy them.
bool AreNeighbours(std::span<const PageIndex> pages) {
  const size_t first = RunOf(pages);
  const size_t rest = pages.size() - first;
  return first > 1 && (rest == 0 || (rest > 1 && RunOf(pages.subspan(first)) == rest));
}

}  // namespace

void Unmapper::TakeOut(std::span<const PageIndex> pages, std::span<uint32_t> slots) {
  if (pages.empty()) return;
  const bool neighbours = AreNeighbours(pages);
  const bool move =
      roads_.can_move() && (neighbours || roads_.move() || !uffd_.has_write_protect());
  const uint64_t start = base::NowNs();
  if (move) {
    MoveOut(pages, slots);
  } else {
    CopyOut(pages, slots);
  }
  if (neighbours) {
    roads_.NoteNeighboursOut(pages.size());
  } else {
    roads_.NoteOut(move, base::NowNs() - start, pages.size());
  }
}

void Unmapper::MoveOut(std::span<const PageIndex> pages, std::span<uint32_t> slots) {
  while (!pages.empty()) {
    const SlotRun run = staging_.TakeEmpty(RunOf(pages));
    uffd_.Move(reinterpret_cast<uintptr_t>(staging_.Data(run.first)), table_.AddressOf(pages[0]),
               run.count * base::kPageSize);
    for (uint32_t i = 0; i < run.count; ++i) slots[i] = run.first + i;
    pages = pages.subspan(run.count);
    slots = slots.subspan(run.count);
  }
}

void Unmapper::CopyOut(std::span<const PageIndex> pages, std::span<uint32_t> slots) {
  for (size_t taken = 0; taken < pages.size();) {
    const SlotRun run = staging_.TakeReady(pages.size() - taken);
    for (uint32_t i = 0; i < run.count; ++i) slots[taken++] = run.first + i;
  }
  while (!pages.empty()) {
    size_t n = 1;
    while (n < pages.size() && pages[n] > pages[n - 1] && pages[n] - pages[n - 1] <= kMaxDistance) {
      ++n;
    }
    n = CopySpan(pages.first(n), slots.first(n));
    pages = pages.subspan(n);
    slots = slots.subspan(n);
  }
}

// Returns how many of the pages, which ascend, it has taken out.
size_t Unmapper::CopySpan(std::span<const PageIndex> pages, std::span<const uint32_t> slots) {
  if (RunOf(pages) == pages.size()) {
    CopyAndUnmap(pages, slots);
    return pages.size();
  }
  const base::SignalsBlocked blocked;
  const PageIndex first = pages.front();
  span_.store(first << kLengthBits | (pages.back() - first + 1));
  // A narrower span is part of the published one: it needs no other look.
  pages = pages.first(BeforePinned(pages));
  CopyAndUnmap(pages, slots.first(pages.size()));
  uffd_.LiftProtection(table_.AddressOf(first), (pages.back() - first + 1) * base::kPageSize);
  span_.store(0);
  return pages.size();
}

void Unmapper::CopyAndUnmap(std::span<const PageIndex> pages, std::span<const uint32_t> slots) {
  const PageIndex first = pages.front();
  uffd_.WriteProtect(table_.AddressOf(first), (pages.back() - first + 1) * base::kPageSize);
  std::array<iovec, kMaxPages> runs;
  size_t n = 0;
  for (size_t i = 0; i < pages.size();) {
    const size_t run = RunOf(pages.subspan(i));
    runs[n++] = {reinterpret_cast<void*>(table_.AddressOf(pages[i])), run * base::kPageSize};
    for (const size_t end = i + run; i < end; ++i) {
      CopyProtectedPage(staging_.Data(slots[i]), table_.AddressOf(pages[i]));
    }
  }
  uffd_.UnmapAll({runs.data(), n});
}

// How many of the first pages have no pinned one between them.
size_t Unmapper::BeforePinned(std::span<const PageIndex> pages) const {
  for (size_t i = 1; i < pages.size(); ++i) {
    for (PageIndex page = pages[i - 1] + 1; page < pages[i]; ++page) {
      if (table_.pins(page).load() != 0) return i;
    }
  }
  return pages.size();
}

}  // namespace tandem::swap
