// Handshakes: running an operation once for every attached thread, each stopped only for itself.
//
// Owns the list of attached threads. A thread that runs does the operation at its next safepoint;
// for one that is SAFE the collector does it. To reach running threads soon, all local pages are
// armed: the next access to each takes the barrier's slow path, which is a safepoint.
//
// A thread joins in the state that the handshakes so far have brought all others to; joining and
// leaving wait for a handshake in progress (as SAFE, so it does not wait for them). A thread that
// leaves gives its log and its blocks back, as at the end of marking.
#pragma once

#include <functional>
#include <mutex>
#include <span>
#include <vector>

#include "runtime/swap/pager.h"
#include "runtime/tracer/mutator_thread.h"

namespace tandem::tracer {

class Handshakes {
 public:
  explicit Handshakes(swap::Pager& pager) : pager_(pager) {}

  // The collector: returns when `operation` has run for each thread. `joining` (may be null)
  // brings a thread that joins later, with nothing on its stack yet, to the same state. `first`
  // (may be null) runs before, when no thread can join or leave any more.
  void Execute(const Operation& operation, const Operation& joining,
               const std::function<void()>& first = nullptr);

  // The thread itself.
  void Join(MutatorThread& thread);
  void Leave(MutatorThread& thread);

  // What attached threads have used and nobody has taken yet, as far as it fits: see AccessRing.
  // Threads take turns in being heard first. Nothing while a thread joins or leaves. One tracer.
  size_t TakeAccesses(std::span<uintptr_t> out);

  size_t threads() const {
    std::lock_guard lock(mutex_);
    return threads_.size();
  }

 private:
  swap::Pager& pager_;
  mutable std::mutex mutex_;
  std::vector<MutatorThread*> threads_;
  Operation joining_;
  size_t heard_ = 0;  // under the lock: whose turn it was to be heard
};

}  // namespace tandem::tracer
