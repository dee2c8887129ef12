// Finalizers: objects whose destructor must run after they die.
//
// Watched while alive; once a cycle finds one unreachable it is kept (with all it refers to),
// moves to the ready queue, and is popped from there by whichever thread the embedder chooses.
// Popped, it is an object like any other. Any thread, under a lock.
#pragma once

#include <cstdint>
#include <deque>
#include <mutex>
#include <vector>

namespace tandem::heap {

class Finalizers {
 public:
  void Watch(uintptr_t reference) {
    std::lock_guard lock(mutex_);
    watched_.push_back(reference);
  }

  // The collector, after marking: moves every watched object that `is_live` denies to the ready
  // queue and calls keep(reference) for it.
  template <typename IsLive, typename Keep>
  void MoveDead(IsLive&& is_live, Keep&& keep) {
    std::lock_guard lock(mutex_);
    std::erase_if(watched_, [&](uintptr_t reference) {
      if (is_live(reference)) return false;
      ready_.push_back(reference);
      keep(reference);
      return true;
    });
  }

  // The objects that wait for their destructor are roots.
  template <typename Visit>
  void ForEachReady(Visit&& visit) const {
    std::lock_guard lock(mutex_);
    for (uintptr_t reference : ready_) visit(reference);
  }

  // The next object to finalize; 0 if there is none. `hold(reference)` is called before the
  // object leaves the queue, for the caller to keep it alive.
  template <typename Hold>
  uintptr_t Pop(Hold&& hold) {
    std::lock_guard lock(mutex_);
    if (ready_.empty()) return 0;
    const uintptr_t reference = ready_.front();
    hold(reference);
    ready_.pop_front();
    return reference;
  }

  size_t ready() const {
    std::lock_guard lock(mutex_);
    return ready_.size();
  }

 private:
  mutable std::mutex mutex_;
  std::vector<uintptr_t> watched_;
  std::deque<uintptr_t> ready_;
};

}  // namespace tandem::heap
