#include "runtime/swap/unmapper.h"

#include <algorithm>
#include <array>

#include "runtime/base/clock.h"

namespace tandem::swap {
namespace {

// A thread that lost its processor in between says nothing about a road.
constexpr uint64_t kDearestNs = 50'000;

void Note(uint64_t& mean_ns, uint64_t ns) {
  ns = std::min(ns, kDearestNs);
  mean_ns = mean_ns == 0 ? ns : (15 * mean_ns + ns) / 16;
}

// How many of the first pages are neighbours.
size_t RunOf(std::span<const PageIndex> pages) {
  size_t run = 1;
  while (run < pages.size() && pages[run] == pages[0] + run) ++run;
  return run;
}

size_t RunsOf(std::span<const PageIndex> pages) {
  size_t runs = 0;
  for (; !pages.empty(); ++runs) pages = pages.subspan(RunOf(pages));
  return runs;
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

}  // namespace

void Unmapper::TakeOut(std::span<const PageIndex> pages, std::span<uint32_t> slots) {
  if (pages.empty()) return;
  const uint64_t start = base::NowNs();
  if (ShouldMove(pages)) {
    MoveOut(pages, slots);
    Note(move_run_ns_, (base::NowNs() - start) / RunsOf(pages));
  } else {
    CopyOut(pages, slots);
    Note(copy_page_ns_, (base::NowNs() - start) / pages.size());
  }
}

bool Unmapper::ShouldMove(std::span<const PageIndex> pages) {
  if (!move_) return false;
  if (!uffd_.has_write_protect()) return true;
  const bool move = RunsOf(pages) * move_run_ns_ <= pages.size() * copy_page_ns_;
  return (++batches_ % kTryOther == 0) != move;
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
    while (n < pages.size() && pages[n] > pages[n - 1] && pages[n] - pages[n - 1] <= kMaxGap) ++n;
    CopySpan(pages.first(n), slots.first(n));
    pages = pages.subspan(n);
    slots = slots.subspan(n);
  }
}

void Unmapper::CopySpan(std::span<const PageIndex> pages, std::span<const uint32_t> slots) {
  const PageIndex first = pages.front();
  const size_t length = pages.back() - first + 1;
  const bool gaps = length > pages.size();
  if (gaps) {
    protected_.store(first << kSpanBits | length);
    if (!MayProtect(pages)) {
      protected_.store(0);
      const size_t run = RunOf(pages);
      CopySpan(pages.first(run), slots.first(run));
      CopySpan(pages.subspan(run), slots.subspan(run));
      return;
    }
  }
  const uintptr_t start = table_.AddressOf(first);
  uffd_.WriteProtect(start, length * base::kPageSize);
  std::array<Userfault::Range, kMaxPages> runs;
  size_t n = 0;
  for (size_t i = 0; i < pages.size();) {
    const size_t run = RunOf(pages.subspan(i));
    runs[n++] = {table_.AddressOf(pages[i]), run * base::kPageSize};
    for (const size_t end = i + run; i < end; ++i) {
      CopyProtectedPage(staging_.Data(slots[i]), table_.AddressOf(pages[i]));
    }
  }
  uffd_.UnmapAll({runs.data(), n});
  if (gaps) {
    uffd_.LiftProtection(start, length * base::kPageSize);
    protected_.store(0);
  }
}

// That none of the pages between those that leave is pinned.
bool Unmapper::MayProtect(std::span<const PageIndex> pages) const {
  for (size_t i = 1; i < pages.size(); ++i) {
    for (PageIndex page = pages[i - 1] + 1; page < pages[i]; ++page) {
      if (table_.pins(page).load() != 0) return false;
    }
  }
  return true;
}

}  // namespace tandem::swap
