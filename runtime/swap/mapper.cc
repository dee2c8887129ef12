#include "runtime/swap/mapper.h"

#include <algorithm>
#include <cstring>

#include "runtime/base/clock.h"

namespace tandem::swap {
namespace {

alignas(base::kPageSize) constinit const std::byte
    kZeroes[Mapper::kMaxZeroes * base::kPageSize] = {};

// A thread that lost its processor in between says nothing about a road.
constexpr uint64_t kDearestNs = 20'000;

// What a copied page costs later: the kernel frees the memory that is left in the slot. An
// estimate, of pages that go 64 at a time.
constexpr uint64_t kFreeNs = 500;

void Note(std::atomic<uint32_t>& mean_ns, uint64_t ns) {
  const auto sample = static_cast<uint32_t>(std::min(ns, kDearestNs));
  const uint32_t mean = mean_ns.load(std::memory_order_relaxed);
  mean_ns.store(mean == 0 ? sample : (15 * mean + sample) / 16, std::memory_order_relaxed);
}

}  // namespace

bool Mapper::ShouldMove(size_t pages) {
  if (!move_) return false;
  const uint32_t move_ns = move_ns_.load(std::memory_order_relaxed);
  const uint32_t copy_ns = copy_ns_.load(std::memory_order_relaxed);
  const bool move = move_ns <= pages * copy_ns;
  if (pages > 1) return move;
  return (mapped_.fetch_add(1, std::memory_order_relaxed) % kTryOther == 0) != move;
}

void Mapper::Map(uintptr_t to, SlotRun slots) {
  std::byte* const from = staging_.Data(slots.first);
  const size_t bytes = slots.count * base::kPageSize;
  const bool move = ShouldMove(slots.count);
  const uint64_t start = base::NowNs();
  if (move) {
    uffd_.Move(to, reinterpret_cast<uintptr_t>(from), bytes);
  } else {
    uffd_.Copy(to, from, bytes);
  }
  if (slots.count == 1) {
    const uint64_t ns = base::NowNs() - start;
    move ? Note(move_ns_, ns) : Note(copy_ns_, ns + kFreeNs);
  }
  (move ? moved_ : copied_).Add(slots.count);
  if (move) {
    staging_.PutEmpty(slots);
  } else {
    staging_.PutReady(slots);
  }
}

void Mapper::MapZeroes(uintptr_t to, size_t pages) {
  // Frames that evictions have left behind first: clearing one is cheaper than having the kernel
  // allocate one.
  while (move_ && pages > 0) {
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
