#include "runtime/tracer/handshakes.h"

#include <algorithm>

#include "runtime/base/backoff.h"
#include "runtime/base/clock.h"
#include "runtime/base/timeline.h"

namespace tandem::tracer {
namespace {

// How long running threads may take to come by before their pages are armed, and armed again.
constexpr uint64_t kArmAfterNs = 50'000;
constexpr uint64_t kArmAgainNs = 2'000'000;

}  // namespace

void Handshakes::Execute(const Operation& operation, const Operation& joining,
                         const std::function<void()>& first) {
  std::lock_guard lock(mutex_);
  const uint64_t start = base::NowNs();
  if (first) first();
  if (joining) joining_ = joining;
  for (MutatorThread* thread : threads_) thread->Request(operation);
  uint64_t arm_at = base::NowNs() + kArmAfterNs;
  for (base::Backoff backoff;; backoff.Pause()) {
    bool all_done = true;
    for (MutatorThread* thread : threads_) {
      if (thread->Done()) continue;
      thread->TryRunOnBehalf();
      all_done = all_done && thread->Done();
    }
    if (all_done) {
      base::TraceSince(base::Span::kHandshake, start, threads_.size());
      return;
    }
    if (const uint64_t now = base::NowNs(); now >= arm_at) {
      pager_.ArmAllPages();
      arm_at = now + kArmAgainNs;
    }
  }
}

void Handshakes::Join(MutatorThread& thread) {
  MutatorThread::RunSafelyInAllHeaps([&] {
    std::lock_guard lock(mutex_);
    if (joining_) joining_(thread);
    threads_.push_back(&thread);
  });
}

void Handshakes::Leave(MutatorThread& thread) {
  MutatorThread::RunSafelyInAllHeaps([&] {
    std::lock_guard lock(mutex_);
    thread.FlushLog();
    thread.EndMarking();
    std::erase(threads_, &thread);
  });
}

size_t Handshakes::TakeAccesses(std::span<uintptr_t> out) {
  std::unique_lock lock(mutex_, std::try_to_lock);
  if (!lock.owns_lock()) return 0;
  size_t n = 0;
  for (size_t i = 0; i < threads_.size() && n < out.size(); ++i) {
    n += threads_[++heard_ % threads_.size()]->accesses().Take(out.subspan(n));
  }
  return n;
}

}  // namespace tandem::tracer
