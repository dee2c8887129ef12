// HeapSurroundings: what an order may know and do, over a real heap.
//
// One a tracer, used by its thread. Only one of a heap's hears of mutators' accesses: their rings
// have one reader.
#pragma once

#include "runtime/heap/block_pool.h"
#include "runtime/heap/space.h"
#include "runtime/tracer/grey_pool.h"
#include "runtime/tracer/handshakes.h"
#include "runtime/tracer/look_ahead.h"
#include "runtime/tracer/surroundings.h"

namespace tandem::tracer {

class HeapSurroundings final : public Surroundings {
 public:
  HeapSurroundings(heap::Space& space, heap::BlockPool& pool, GreyPool& grey, Handshakes& mutators,
                   PageStamps& stamps, bool follows)
      : space_(space),
        pool_(pool),
        grey_(grey),
        mutators_(mutators),
        stamps_(stamps),
        follows_(follows) {}

  uintptr_t base() const override { return space_.blocks.base(); }
  size_t pages() const override { return space_.pager.table().pages(); }

  Whereabouts Where(swap::PageIndex page) override {
    // Relaxed: the answer may be stale by the time it is used, whatever the order.
    switch (swap::Residency(space_.pager.table().state(page).load(std::memory_order_relaxed))) {
      case swap::kLocal:
        return Whereabouts::kLocal;
      case swap::kFar:
        return Whereabouts::kFar;
      default:
        return Whereabouts::kOnItsWay;  // or just leaving, which is seen a moment later
    }
  }
  bool IsMarked(uintptr_t reference) override {
    return space_.tables.IsMarked(heap::HeaderOf(reference));
  }
  size_t Unmarked(swap::PageIndex page) override;
  double FreeShare() override { return pool_.FreeShare(); }
  double Turnover() override {
    return static_cast<double>(space_.pager.metrics().evicted.Value()) /
           static_cast<double>(space_.pager.budget().limit());
  }
  PageStamps& stamps() override { return stamps_; }
  bool LookAheadPays() override;

  size_t TakeAccesses(std::span<uintptr_t> out) override;

  bool OthersTrace() override { return follows_ && grey_.tracers() > 1; }
  void PassOn(std::span<const uintptr_t> references) override;

  bool Shade(uintptr_t reference) override {
    const uintptr_t object = heap::HeaderOf(reference);
    if (!space_.tables.Mark(object)) return false;
    ++shaded_;
    return !heap::IsLeaf(space_.blocks.KindAt(object));
  }
  void WillShade(uintptr_t reference) override {
    space_.tables.PrefetchMark(heap::HeaderOf(reference));
  }
  size_t Fetch(std::span<const swap::PageIndex> pages, swap::Purpose purpose) override;
  size_t Land() override { return space_.pager.arrivals().Land(); }
  void Pause(base::Backoff& backoff) override;

  // Objects that Shade marked.
  uint64_t shaded() const { return shaded_; }

 private:
  heap::Space& space_;
  heap::BlockPool& pool_;
  GreyPool& grey_;
  Handshakes& mutators_;
  PageStamps& stamps_;
  const bool follows_;
  uint64_t shaded_ = 0;
  LookAheadJudge look_ahead_;
};

}  // namespace tandem::tracer
