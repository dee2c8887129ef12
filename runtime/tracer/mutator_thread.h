// MutatorThread: what the collector knows of one attached thread, and how they meet.
//
//              Poll: runs a pending operation itself
//               +--+
//               |  v
//           +---------+   EnterSafe (stack top saved)   +--------+
//           | RUNNING | ------------------------------> |  SAFE  | <--+
//           +---------+ <------------------------------ +--------+    | the collector, done
//                          LeaveSafe, by CAS                | CAS     |
//                                                           v         |
//                                                       +---------+   |
//                                                       | CLAIMED | --+
//                                                       +---------+
//
// A thread is SAFE while it cannot touch the heap: in a BlockingScope, or inside a barrier's
// fetch. The collector then runs a handshake's operation on its behalf (CLAIMED); the thread does
// not become RUNNING before that is done. A RUNNING thread runs it itself at its next safepoint.
// A thread inside the SIGBUS handler is RUNNING: the instruction that faulted may be a store
// whose barrier has already decided not to log, so a handshake waits for it.
//
// Operations and everything marked "stopped" run with the thread stopped: on the thread itself,
// or on the collector's thread with the thread CLAIMED. The status word orders them: acquire on
// each CAS that leaves SAFE or CLAIMED, release on each store that enters them.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>

#include "runtime/heap/thread_allocator.h"
#include "runtime/record/recorder.h"
#include "runtime/swap/port.h"
#include "runtime/tracer/access_ring.h"
#include "runtime/tracer/grey_pool.h"
#include "runtime/tracer/page_stamps.h"
#include "runtime/tracer/stack_scan.h"
#include "tandem/internal/barrier.h"
#include "tandem/internal/saved_registers.h"

namespace tandem::tracer {

class Collector;
class MutatorThread;

// What a handshake runs once for each thread, stopped.
using Operation = std::function<void(MutatorThread&)>;

// Which references a thread's stores log.
enum class Logging : uint8_t {
  kNone,
  kOldAndNew,  // from the start of a cycle until the thread's own stack has been scanned
  kOld,        // snapshot at the beginning
};

class MutatorThread {
 public:
  // Attaches the calling thread. `regions` are the two allocation regions of the fast path.
  MutatorThread(Collector& collector, heap::Space& space, heap::BlockPool& pool,
                std::unique_ptr<swap::Port> port, internal::AllocationRegion* regions);
  ~MutatorThread();
  MutatorThread(const MutatorThread&) = delete;
  MutatorThread& operator=(const MutatorThread&) = delete;

  // This thread's attachment to the heap that holds `address`; null if there is none.
  static MutatorThread* Find(uintptr_t address);
  // All attachments of this thread, null after the last (barriers that do not know the heap ask
  // each).
  static std::array<MutatorThread*, 8>& OfThisThread();

  heap::Space& space() { return space_; }
  swap::Port& port() { return *port_; }
  heap::ThreadAllocator& allocator() { return allocator_; }

  // --- the thread itself ---

  // A safepoint.
  void Poll() {
    if (pending_.load(std::memory_order_relaxed) != nullptr) RunPending();
  }
  // Runs `work`, which must not touch the heap, as SAFE. Nests.
  template <typename Work>
  void RunSafely(Work&& work) {
    internal::SavedRegisters registers;
    registers.Save();
    EnterSafe();
    work();
    LeaveSafe();
  }
  // The same in all heaps that the calling thread, if any, is attached to: for waits that may
  // depend on other threads. Two threads attached to two heaps that waited for one each, RUNNING
  // in the other, would wait for each other.
  template <typename Work>
  static void RunSafelyInAllHeaps(Work&& work) {
    internal::SavedRegisters registers;
    registers.Save();
    for (MutatorThread* m : OfThisThread()) {
      if (m != nullptr) m->EnterSafe();
    }
    work();
    for (MutatorThread* m : OfThisThread()) {
      if (m != nullptr) m->LeaveSafe();
    }
  }
  // The caller has saved its registers, and keeps its frame until LeaveSafe.
  [[gnu::noinline]] void EnterSafe();
  void LeaveSafe();

  // The write barrier's slow path.
  void LogStore(uintptr_t old_reference, uintptr_t new_reference) {
    const Logging logging = logging_.load(std::memory_order_relaxed);  // changes when stopped
    if (logging == Logging::kNone) return;
    Log(old_reference);
    if (logging == Logging::kOldAndNew) Log(new_reference);
  }
  // The weak load's slow path.
  uintptr_t LoadWeak(const std::atomic<uintptr_t>& slot);
  // The access barrier's slow path, after the page has been made local.
  void NoteAccess(uintptr_t address) {
    // Relaxed: changes when stopped.
    const AccessLog log = access_log_.load(std::memory_order_relaxed);
    if (log == AccessLog::kNone || log == AccessLog::kStores) return;
    if (log == AccessLog::kObjects) {
      stamps_.Use(space_.PageOf(address));
      if (space_.tables.IsMarked(heap::HeaderOf(address))) return;
    }
    accesses_.Push(address);
  }
  // The write barrier's: the object that holds the slot is used as well.
  void NoteStore(uintptr_t slot, uintptr_t new_reference) {
    const AccessLog log = access_log_.load(std::memory_order_relaxed);  // as in NoteAccess
    if (log == AccessLog::kObjects && space_.blocks.Contains(slot)) {
      stamps_.Use(space_.PageOf(slot));
      const uintptr_t object = space_.FindObject(slot);
      if (object != 0 && !space_.tables.IsMarked(object)) accesses_.Push(slot);
    } else if (log == AccessLog::kStores && space_.blocks.Contains(new_reference) &&
               !space_.tables.IsMarked(heap::HeaderOf(new_reference))) {
      accesses_.Push(new_reference);
    }
  }
  // If the heap is recorded, each of these writes what the thread does now.
  bool recorded() const { return recorder_ != nullptr; }
  void RecordAccess(uintptr_t address);
  void RecordBirth(uintptr_t object, size_t bytes, bool leaf) {
    if (recorded()) recorder_->Birth(recorded_as_, object, bytes, leaf);
  }
  void RecordStore(uintptr_t slot, uintptr_t reference);
  void RecordPages(record::Kind kind, swap::PageIndex first, size_t count) {
    if (recorded()) recorder_->Pages(recorded_as_, kind, first, count);
  }
  void RecordWait() {
    if (recorded()) recorder_->Wait(recorded_as_);
  }
  bool logging() const { return logging_.load(std::memory_order_relaxed) != Logging::kNone; }

  // --- stopped ---

  void SetLogging(Logging logging);
  void SetAccessLog(AccessLog log) { access_log_.store(log, std::memory_order_relaxed); }
  // From here on the thread's allocations are born marked.
  void BeginMarking();
  // They are not any more; its blocks go back to be swept.
  void EndMarking();
  // Gives the log to the grey pool; true if there was anything in it.
  bool FlushLog();
  // Calls visit(object header) for each object that the stack may refer to.
  template <typename Visit>
  void ScanRoots(Visit&& visit) const {
    ScanStack(stack_top_, stack_base_, [&](uintptr_t word) {
      if (const uintptr_t object = space_.FindObject(word); object != 0) visit(object);
    });
  }

  // --- the collector ---

  AccessRing& accesses() { return accesses_; }
  void Request(const Operation& operation);
  bool Done() const { return pending_.load(std::memory_order_acquire) == nullptr; }
  // Runs the pending operation on the thread's behalf if it is SAFE.
  void TryRunOnBehalf();

 private:
  enum Status : uint32_t { kRunning, kSafe, kClaimed };

  static constexpr size_t kLogCapacity = 512;

  [[gnu::noinline]] void RunPending();
  [[gnu::noinline]] void RunPendingBelow();
  void Log(uintptr_t reference);
  void Finish();

  Collector& collector_;
  heap::Space& space_;
  PageStamps& stamps_;
  std::unique_ptr<swap::Port> port_;
  heap::ThreadAllocator allocator_;
  internal::AllocationRegion* const regions_;
  std::atomic<uint32_t>* const armed_;        // this thread's t_store_armed
  std::atomic<uint32_t>* const first_armed_;  // and t_first_store_armed

  std::atomic<uint32_t> status_{kRunning};
  std::atomic<const Operation*> pending_{nullptr};
  uintptr_t stack_top_ = 0;  // valid while stopped
  const uintptr_t stack_base_;
  unsigned safe_depth_ = 0;
  std::atomic<Logging> logging_{Logging::kNone};
  GreyBatch log_;
  std::atomic<AccessLog> access_log_{AccessLog::kNone};
  AccessRing accesses_;
  record::Recorder* const recorder_;  // null: nothing is recorded
  const uint32_t recorded_as_;
};

}  // namespace tandem::tracer
