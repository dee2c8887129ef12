// MemlinerReleaseOrder: what MemLiner's authors released, which is not what their paper describes.
//
// After uclasystem/MemLiner (OpenJDK 12, G1): mutators tell of the references that they *store*
// (where they were too many, only 64 of the newest count); a tracer of its own does nothing but
// work depth first from there, wherever that leads, until its budget is used up, and passes on what
// is left. The others work depth first too; a reference whose object is far is put aside once, and
// traced when nothing else is left. A lone tracer does both.
//
// Different here: the release adds one or two such threads to the collector's; here the first of
// the heap's tracers is one, so that all orders have equally many. It forgets what they have left
// when it decides that marking has ended; here they count (GreyPool::Rest). It bounds the budget
// also in words, and reads the object's header before it puts the reference aside, so that the page
// is fetched all the same: not copied.
//
// Ends: each reference is put aside once at most, and exploring one that is marked does nothing.
#pragma once

#include <algorithm>
#include <array>
#include <deque>
#include <vector>

#include "runtime/tracer/access_ring.h"
#include "runtime/tracer/order.h"

namespace tandem::tracer {

struct MemlinerReleaseOptions {
  // Objects explored from one set of stored references.
  uint64_t budget = 8192;
};

class MemlinerReleaseOrder final : public Order {
 public:
  using Options = MemlinerReleaseOptions;

  MemlinerReleaseOrder(const Options& options, Surroundings& surroundings, OrderMetrics& metrics)
      : options_(options), surroundings_(surroundings), metrics_(metrics) {}

  void Push(std::span<const uintptr_t> references, Tag parent) override {
    auto& to = parent == kNear && budget_ > 0 ? near_ : stack_;
    to.insert(to.end(), references.rbegin(), references.rend());
  }

  size_t Pop(std::span<Grey> out) override {
    if (near_.empty()) TakeStores();
    if (!near_.empty()) return PopNear(out);
    if (only_listens()) {
      surroundings_.PassOn(stack_);
      stack_.clear();
      return 0;
    }
    size_t n = 0;
    for (size_t looked = 0; looked < kLookAtOnce && n < out.size() && !stack_.empty(); ++looked) {
      const uintptr_t reference = stack_.back();
      stack_.pop_back();
      if (surroundings_.Where(surroundings_.PageOf(reference)) == Whereabouts::kLocal) {
        out[n++] = Grey(reference);
      } else {
        aside_.push_back(reference);
        metrics_.deferrals.Add();
      }
    }
    if (n == 0 && stack_.empty()) {
      for (; n < out.size() && !aside_.empty(); aside_.pop_front()) out[n++] = Grey(aside_.front());
    }
    metrics_.from_queue.Add(n);
    return n;
  }

  size_t size() const override { return near_.size() + stack_.size() + aside_.size(); }
  bool only_listens() const override { return surroundings_.OthersTrace(); }
  AccessLog access_log() const override { return AccessLog::kStores; }

 private:
  static constexpr Tag kNear = 1;
  static constexpr size_t kNewest = 64;
  // Entries looked at before mutators are listened to again.
  static constexpr size_t kLookAtOnce = 256;

  void TakeStores() {
    std::array<uintptr_t, AccessRing::kCapacity> stored;
    const size_t n = surroundings_.TakeAccesses(stored);
    const bool too_many = n > stored.size() - kNewest;  // not all of them may have been objects
    for (size_t i = too_many ? n - kNewest : 0; i < n; ++i) {
      if (!surroundings_.IsMarked(stored[i])) near_.push_back(stored[i]);
    }
    budget_ = options_.budget;
  }

  size_t PopNear(std::span<Grey> out) {
    size_t n = 0;
    for (; n < out.size() && budget_ > 0 && !near_.empty(); --budget_, near_.pop_back()) {
      out[n++] = Grey(near_.back(), kNear);
    }
    if (budget_ == 0) {
      stack_.insert(stack_.end(), near_.begin(), near_.end());
      near_.clear();
    }
    metrics_.from_ring.Add(n);
    return n;
  }

  const Options options_;
  Surroundings& surroundings_;
  OrderMetrics& metrics_;
  std::vector<uintptr_t> near_;  // reached from stored references
  uint64_t budget_ = 0;          // objects that may still be taken from near_
  std::vector<uintptr_t> stack_;
  std::deque<uintptr_t> aside_;  // far when they were looked at
};

}  // namespace tandem::tracer
