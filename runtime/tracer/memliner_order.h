// MemlinerOrder: MemLiner's Algorithms 2 to 4 (Wang et al., OSDI'22, section 4).
//
// Objects that mutators have just used come first (the paper's PQ) and are explored depth first,
// up to max_depth hops, wherever they are: a far neighbour is fetched on purpose, since the
// mutator will want it. All others stand in one queue (TQ). A reference whose object is on a far
// page is put back to the end of the queue instead of being traced, before the object is touched,
// but only so many times: fewer when the heap runs full. Which pages are far the pager knows
// exactly; on request it is estimated as in the paper, from how long ago mutators used the page.
//
// Ends: each reference is put back at most max_deferrals times, and exploring one that is marked
// does nothing, so the queue empties once no unmarked object is pushed.
#pragma once

#include <algorithm>
#include <deque>
#include <vector>

#include "runtime/tracer/order.h"

namespace tandem::tracer {

struct MemlinerOptions {
  // MAX_Depth: hops explored from an object that a mutator used.
  uint64_t max_depth = 3;
  // Entries of each mutator's ring (the paper's PQ), the oldest of which are overwritten.
  uint64_t ring = AccessRing::kCapacity;
  // MAX_DL by the heap's free share: below `low`, from there to `high`, and above.
  uint64_t deferrals_low = 0;
  uint64_t deferrals_middle = 2;
  uint64_t deferrals_high = 4;
  double free_low = 0.15;
  double free_high = 0.5;
  // Above 0: a page that mutators have not used for more than so many epochs is taken for far,
  // wherever it is (the paper's delta; it names no value).
  uint64_t epoch_delta = 0;
  // The share of local memory that is replaced in an epoch (the paper's N; it names no value).
  double epoch_change = 0.1;
};

class MemlinerOrder final : public Order {
 public:
  using Options = MemlinerOptions;

  MemlinerOrder(const Options& options, Surroundings& surroundings, OrderMetrics& metrics)
      : options_(options), surroundings_(surroundings), metrics_(metrics) {
    if (Estimates()) surroundings_.stamps().SetEpoch(0);  // from now on uses are noted
  }

  void Push(std::span<const uintptr_t> references, Tag parent) override {
    // The tag of an explored object: 1 + the hops that led to it. 0: it came out of the queue.
    if (parent == 0 || parent > options_.max_depth) {
      for (const uintptr_t reference : references) queue_.emplace_back(reference);
      return;
    }
    for (auto it = references.rbegin(); it != references.rend(); ++it) {
      near_.emplace_back(*it, static_cast<Tag>(parent + 1));
    }
  }

  size_t Pop(std::span<Grey> out) override {
    if (Estimates()) {
      surroundings_.stamps().SetEpoch(
          static_cast<uint64_t>(surroundings_.Turnover() / options_.epoch_change));
    }
    TakeAccesses();
    size_t n = 0;
    for (; n < out.size() && !near_.empty(); near_.pop_back()) out[n++] = near_.back();
    if (n > 0) {
      metrics_.from_ring.Add(n);
      return n;
    }
    const uint64_t most = MaxDeferrals();
    for (size_t looked = 0; looked < kLookAtOnce && n < out.size() && !queue_.empty(); ++looked) {
      const Grey first = queue_.front();
      queue_.pop_front();
      const Tag deferred = first.tag();
      if (deferred < most && ProbablyFar(surroundings_.PageOf(first.reference()))) {
        queue_.emplace_back(first.reference(), static_cast<Tag>(deferred + 1));
        metrics_.deferrals.Add();
        continue;
      }
      out[n++] = Grey(first.reference());
    }
    metrics_.from_queue.Add(n);
    return n;
  }

  size_t size() const override { return near_.size() + queue_.size(); }
  AccessLog access_log() const override { return AccessLog::kObjects; }
  size_t ring_entries() const override { return options_.ring; }

 private:
  // Entries looked at before mutators are listened to again.
  static constexpr size_t kLookAtOnce = 256;

  void TakeAccesses() {
    if (!near_.empty()) return;  // the explored go on first
    std::array<uintptr_t, 64> used;
    const size_t n = surroundings_.TakeAccesses(used);
    for (size_t i = 0; i < n; ++i) {
      if (!surroundings_.IsMarked(used[i])) near_.emplace_back(used[i], Tag{1});
    }
  }

  bool Estimates() const { return options_.epoch_delta > 0; }
  bool ProbablyFar(swap::PageIndex page) {
    if (Estimates()) return surroundings_.stamps().Age(page) > options_.epoch_delta;
    return surroundings_.Where(page) != Whereabouts::kLocal;
  }

  uint64_t MaxDeferrals() {
    const double free = surroundings_.FreeShare();
    if (free < options_.free_low) return options_.deferrals_low;
    return free > options_.free_high ? options_.deferrals_high : options_.deferrals_middle;
  }

  const Options options_;
  Surroundings& surroundings_;
  OrderMetrics& metrics_;
  std::vector<Grey> near_;  // being explored, depth first
  std::deque<Grey> queue_;  // the tag counts deferrals
};

}  // namespace tandem::tracer
