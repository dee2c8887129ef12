#include "runtime/tracer/mutator_thread.h"

#include <pthread.h>

#include <algorithm>

#include "runtime/base/backoff.h"
#include "runtime/base/check.h"
#include "runtime/base/clock.h"
#include "runtime/tracer/collector.h"

namespace tandem::internal {
constinit __thread std::atomic<uint32_t> t_store_armed{0};
constinit __thread std::atomic<uint32_t> t_first_store_armed{0};
}  // namespace tandem::internal

namespace tandem::tracer {
namespace {

constinit thread_local std::array<MutatorThread*, 8> t_mutators{};

}  // namespace

uintptr_t StackBase() {
  pthread_attr_t attributes;
  void* low = nullptr;
  size_t bytes = 0;
  TANDEM_CHECK(pthread_getattr_np(pthread_self(), &attributes) == 0, "no stack bounds");
  pthread_attr_getstack(&attributes, &low, &bytes);
  pthread_attr_destroy(&attributes);
  return reinterpret_cast<uintptr_t>(low) + bytes;
}

MutatorThread::MutatorThread(Collector& collector, heap::Space& space, heap::BlockPool& pool,
                             std::unique_ptr<swap::Port> port, internal::AllocationRegion* regions)
    : collector_(collector),
      space_(space),
      stamps_(collector.stamps()),
      port_(std::move(port)),
      allocator_(space, pool, *port_),
      regions_(regions),
      armed_(&internal::t_store_armed),
      first_armed_(&internal::t_first_store_armed),
      stack_base_(StackBase()),
      recorder_(collector.recorder()),
      recorded_as_(recorder_ != nullptr ? recorder_->AddThread() : 0) {
  if (recorded()) {
    // All stores are to take the slow path.
    armed_->fetch_add(1, std::memory_order_relaxed);
    first_armed_->fetch_add(1, std::memory_order_relaxed);
  }
  log_.reserve(kLogCapacity);
  space_.pager.BindThread(*port_);
  for (MutatorThread*& entry : t_mutators) {
    TANDEM_DCHECK(entry == nullptr || &entry->space_ != &space_,
                  "this thread is attached to the heap already");
    if (entry != nullptr) continue;
    entry = this;
    return;
  }
  base::Fatal("a thread may be attached to at most 8 heaps");
}

MutatorThread::~MutatorThread() {
  TANDEM_CHECK(armed_ == &internal::t_store_armed, "a Mutator was destroyed by another thread");
  SetLogging(Logging::kNone);
  SetAccessLog(AccessLog::kNone);
  if (recorded()) {
    armed_->fetch_sub(1, std::memory_order_relaxed);
    first_armed_->fetch_sub(1, std::memory_order_relaxed);
  }
  space_.pager.UnbindThread();
  // Keeps the table without gaps.
  const auto gone = std::find(t_mutators.begin(), t_mutators.end(), this);
  std::rotate(gone, gone + 1, t_mutators.end());
  t_mutators.back() = nullptr;
}

MutatorThread* MutatorThread::Find(uintptr_t address) {
  for (MutatorThread* m : t_mutators) {
    if (m == nullptr) break;
    if (m->space_.blocks.Contains(address)) return m;
  }
  return nullptr;
}

std::array<MutatorThread*, 8>& MutatorThread::OfThisThread() { return t_mutators; }

void MutatorThread::EnterSafe() {
  if (safe_depth_++ > 0) return;
  // The caller's frame, with its saved registers, lies above this one.
  stack_top_ = reinterpret_cast<uintptr_t>(__builtin_frame_address(0));
  // Release: whoever claims the thread sees its stack, its log and its regions.
  status_.store(kSafe, std::memory_order_release);
}

void MutatorThread::LeaveSafe() {
  if (--safe_depth_ > 0) return;
  uint32_t expected = kSafe;
  // Acquire: the thread sees what an operation on its behalf did.
  if (!status_.compare_exchange_strong(expected, kRunning, std::memory_order_acquire)) {
    const uint64_t start = base::NowNs();
    base::Backoff backoff;
    do {
      backoff.Pause();
      expected = kSafe;
    } while (!status_.compare_exchange_weak(expected, kRunning, std::memory_order_acquire));
    collector_.metrics().RecordPause(start);
  }
  Poll();
}

void MutatorThread::RunPending() {
  if (safe_depth_ > 0) return;  // it is run on this thread's behalf
  internal::SavedRegisters registers;
  registers.Save();
  RunPendingBelow();
}

void MutatorThread::RunPendingBelow() {
  const uint64_t start = base::NowNs();
  stack_top_ = reinterpret_cast<uintptr_t>(__builtin_frame_address(0));
  // Acquire: pairs with Request.
  const Operation* operation = pending_.load(std::memory_order_acquire);
  if (operation == nullptr) return;
  (*operation)(*this);
  Finish();
  collector_.metrics().RecordPause(start);
}

void MutatorThread::Finish() {
  armed_->fetch_sub(1, std::memory_order_relaxed);
  pending_.store(nullptr, std::memory_order_release);  // the collector sees what was done
}

void MutatorThread::Request(const Operation& operation) {
  pending_.store(&operation, std::memory_order_release);
  // Relaxed: the thread may look late; what it then does is ordered by pending_.
  armed_->fetch_add(1, std::memory_order_relaxed);
}

void MutatorThread::TryRunOnBehalf() {
  uint32_t expected = kSafe;
  if (!status_.compare_exchange_strong(expected, kClaimed, std::memory_order_acquire)) return;
  // The thread may have run it itself just before it became SAFE.
  if (const Operation* operation = pending_.load(std::memory_order_acquire)) {
    (*operation)(*this);
    Finish();
  }
  status_.store(kSafe, std::memory_order_release);
}

void MutatorThread::SetLogging(Logging logging) {
  const Logging before = logging_.load(std::memory_order_relaxed);
  logging_.store(logging, std::memory_order_relaxed);
  const bool was = before != Logging::kNone;
  const bool is = logging != Logging::kNone;
  if (is && !was) armed_->fetch_add(1, std::memory_order_relaxed);
  if (was && !is) armed_->fetch_sub(1, std::memory_order_relaxed);
}

void MutatorThread::BeginMarking() {
  allocator_.BeginMarking();
  for (int i = 0; i < 2; ++i) {
    if (regions_[i].cursor < regions_[i].limit) {
      space_.tables.MarkRange(regions_[i].cursor, regions_[i].limit);
    }
  }
}

void MutatorThread::EndMarking() {
  regions_[0] = regions_[1] = {};
  allocator_.EndMarking();
}

void MutatorThread::Log(uintptr_t reference) {
  // The reference may lead into another of the thread's heaps.
  if (reference == 0 || !space_.blocks.Contains(reference)) return;
  if (space_.tables.IsMarked(heap::HeaderOf(reference))) return;
  log_.push_back(reference);
  if (log_.size() == kLogCapacity) FlushLog();
}

void MutatorThread::RecordAccess(uintptr_t address) {
  if (!recorded()) return;
  const uintptr_t object = space_.FindObject(address);
  recorder_->Access(recorded_as_, object != 0 ? object : address, address);
}

void MutatorThread::RecordStore(uintptr_t slot, uintptr_t reference) {
  // A slot elsewhere is a root, which each cycle tells of as far as it matters.
  if (!recorded() || !space_.blocks.Contains(slot)) return;
  const uintptr_t object = space_.FindObject(slot);
  if (object == 0 || slot < object + internal::kHeaderBytes) return;
  const bool here = reference != 0 && space_.blocks.Contains(reference);
  recorder_->Store(recorded_as_, object, slot, here ? heap::HeaderOf(reference) : 0);
}

uintptr_t MutatorThread::LoadWeak(const std::atomic<uintptr_t>& slot) {
  return collector_.WeakLoad(slot);
}

bool MutatorThread::FlushLog() {
  if (log_.empty()) return false;
  GreyBatch batch;
  batch.reserve(kLogCapacity);
  std::swap(batch, log_);
  collector_.grey().Add(std::move(batch));
  return true;
}

}  // namespace tandem::tracer
