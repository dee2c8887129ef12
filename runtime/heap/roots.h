// Roots: references into the heap that live outside of it, in slots that the heap lends out.
//
// Slots never move. Any thread may lend and return slots, under a lock; slot contents are changed
// by Persistent's barriers without it.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <mutex>
#include <vector>

namespace tandem::heap {

class Roots {
 public:
  using Slot = std::atomic<uintptr_t>;

  Slot* Lend() {
    std::lock_guard lock(mutex_);
    if (free_.empty()) return &slots_.emplace_back(0);
    Slot* slot = free_.back();
    free_.pop_back();
    return slot;
  }

  // The slot must hold null.
  void Return(Slot* slot) {
    std::lock_guard lock(mutex_);
    free_.push_back(slot);
  }

  // Calls visit(reference) for each slot that is not null.
  template <typename Visit>
  void ForEach(Visit&& visit) const {
    std::lock_guard lock(mutex_);
    for (const Slot& slot : slots_) {
      // Acquire: pairs with the release of the store that put the reference there.
      if (const uintptr_t reference = slot.load(std::memory_order_acquire); reference != 0) {
        visit(reference);
      }
    }
  }

 private:
  mutable std::mutex mutex_;
  std::deque<Slot> slots_;
  std::vector<Slot*> free_;
};

}  // namespace tandem::heap
