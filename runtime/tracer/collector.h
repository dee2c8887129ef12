// Collector: runs the cycles of one heap on a thread of its own.
//
//   IDLE --trigger--> [handshake 1: every store logs the old and the new reference]
//        --> [handshake 2: nothing to do; no store that began before handshake 1 is under way now]
//        --> [handshake 3: each thread scans its stack, allocates marked from now on, and logs
//             the old reference only]; roots that are not on stacks
//        --> MARKING: tracers drain; [handshake 4: logs are handed in], repeated until a round
//             finds nothing in any log and nothing in the pool
//        --> CLEARING: weak references to unmarked objects are cleared; objects to be finalized
//             are kept, with all they refer to
//        --> [handshake 5: no logging; threads give their blocks back] --> SWEEPING --> IDLE
//
// Why three handshakes to begin with: a thread whose stack is not scanned yet may hold the only
// reference to an object and store it where the tracers have been already. Until its own scan it
// therefore logs what it stores, and every thread logs what it overwrites, so nothing that any
// thread can still get at escapes (Doligez, Leroy, Gonthier, POPL'93/94). That takes more than one
// round: between its log and its store a thread may be late, and overwrite what another stored
// unlogged before its turn came. After handshake 2 no such store is left. The model in
// tests/tracer/tracing_model_test.cc has all interleavings of this.
//
// Why marking is over when a round of handshake 4 finds nothing: the tracers are idle, so a grey
// reference can only be in a log or the pool. Suppose an object that must live is white when the
// round ends. At the first moment after some thread's turn at which a thread logs anything, the
// object logged was white and, by the snapshot invariant, hung on a grey reference; that was in
// the log of a thread whose turn had not come yet, which would have handed it in; or in the pool,
// where the round's last look would have found it. The last look and the change to CLEARING are
// one step under the weak lock, because a weak load makes grey out of white as well (WeakLoad).
//
// Threads: Collect, Request, Trigger and WeakLoad from any attached thread (the first two also
// from others); everything else belongs to the collector's thread.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "runtime/base/clock.h"
#include "runtime/base/metrics.h"
#include "runtime/base/timeline.h"
#include "runtime/heap/block_pool.h"
#include "runtime/heap/finalizers.h"
#include "runtime/heap/roots.h"
#include "runtime/heap/space.h"
#include "runtime/heap/sweeper.h"
#include "runtime/record/recorder.h"
#include "runtime/tracer/grey_pool.h"
#include "runtime/tracer/handshakes.h"
#include "runtime/tracer/pacer.h"
#include "runtime/tracer/tracer.h"

namespace tandem::tracer {

struct CollectorOptions {
  std::string order = "lifo";
  unsigned tracers = 1;
  double growth = 2.0;
  bool automatic = true;
  bool verify = false;
  bool protect_dead = false;
  record::Recorder* recorder = nullptr;  // null: nothing is recorded
};

// Everything the collector counts, by name (docs/metrics.md).
struct CollectorMetrics {
  explicit CollectorMetrics(base::Registry& r)
      : cycles(r.GetCounter("gc.cycles")),
        marked(r.GetCounter("gc.objects_marked")),
        references(r.GetCounter("gc.references_found")),
        live_bytes(r.GetMaximum("gc.live_peak_bytes")),
        freed_bytes(r.GetCounter("gc.freed_bytes")),
        dead_pages(r.GetCounter("gc.dead_pages")),
        mark_ns(r.GetCounter("gc.mark_ns")),
        sweep_ns(r.GetCounter("gc.sweep_ns")),
        cycle_ns(r.GetHistogram("gc.cycle")),
        pauses(r.GetHistogram("gc.pause")),
        longest_pause(r.GetMaximum("gc.pause_max_ns")),
        stalls(r.GetHistogram("gc.stall")),
        rounds(r.GetCounter("gc.log_rounds")),
        weak_cleared(r.GetCounter("gc.weak_cleared")),
        finalizable(r.GetCounter("gc.finalizable")),
        verified(r.GetCounter("gc.verified_objects")) {}

  base::Counter& cycles;
  base::Counter& marked;
  base::Counter& references;
  base::Maximum& live_bytes;
  base::Counter& freed_bytes;
  base::Counter& dead_pages;
  base::Counter& mark_ns;
  base::Counter& sweep_ns;
  base::Histogram& cycle_ns;
  base::Histogram& pauses;
  base::Maximum& longest_pause;
  base::Histogram& stalls;
  base::Counter& rounds;
  base::Counter& weak_cleared;
  base::Counter& finalizable;
  base::Counter& verified;

  // Of the calling thread, which goes on now.
  void RecordPause(uint64_t start_ns) {
    const uint64_t end_ns = base::NowNs();
    pauses.Record(end_ns - start_ns);
    longest_pause.Record(end_ns - start_ns);
    base::Trace(base::Span::kPause, start_ns, end_ns, 0);
  }
};

class Collector {
 public:
  static StatusOr<std::unique_ptr<Collector>> Create(CollectorOptions options, heap::Space& space,
                                                     heap::BlockPool& pool, heap::Roots& roots,
                                                     heap::Finalizers& finalizers,
                                                     base::Registry& registry);
  ~Collector();  // no thread is attached any more

  Handshakes& handshakes() { return handshakes_; }
  GreyPool& grey() { return grey_; }
  PageStamps& stamps() { return stamps_; }
  CollectorMetrics& metrics() { return metrics_; }
  record::Recorder* recorder() const { return options_.recorder; }
  uint64_t live_bytes() const { return live_bytes_.load(std::memory_order_relaxed); }

  // Asks for a cycle. Cheap; returns at once.
  void Request();
  // Asks for one if enough has been allocated since the last.
  void Trigger() {
    if (pool_.allocated_bytes() >= trigger_bytes_.load(std::memory_order_relaxed)) Request();
  }
  // Waits for a whole cycle that begins after the call; SAFE meanwhile, if attached.
  void Collect();

  // The reference in a weak slot, for a thread that is logging: kept alive, or null if dead.
  uintptr_t WeakLoad(const std::atomic<uintptr_t>& slot);

  // A cycle in steps, for tests: the same cycle, but tracing waits for Step. StepBegin waits
  // until marking has begun, Step traces about `objects` objects and tells whether there are more
  // (if not, marking is over, and nothing is cleared or swept yet), StepEnd waits until the cycle
  // has ended.
  void StepBegin();
  bool Step(size_t objects);
  void StepEnd();

 private:
  enum class Phase : uint8_t { kIdle, kMarking, kClearing };

  Collector(CollectorOptions options, heap::Space& space, heap::BlockPool& pool, heap::Roots& roots,
            heap::Finalizers& finalizers, base::Registry& registry, PageStamps stamps);

  void ThreadMain();
  void HelperMain(unsigned index);
  void RunCycle(bool stepping);
  void BeginMarking();
  void RecordRoots(const GreyBatch& of_a_thread, bool first);
  void TraceAll(bool stepping);
  void Trace(bool stepping);
  bool HandInLogs();
  void ClearWeak();
  void KeepFinalizable();
  void EndMarking();
  void Verify();
  template <typename Condition>
  void Wait(Condition&& condition);

  const CollectorOptions options_;
  heap::Space& space_;
  heap::BlockPool& pool_;
  heap::Roots& roots_;
  heap::Finalizers& finalizers_;
  CollectorMetrics metrics_;
  OrderMetrics order_metrics_;
  Handshakes handshakes_;
  PageStamps stamps_;
  GreyPool grey_;
  Pacer pacer_;
  heap::Sweeper sweeper_;
  std::vector<std::unique_ptr<Tracer>> tracers_;  // the first is the collector thread's own
  std::vector<WeakSlot> weak_;

  std::atomic<uint64_t> trigger_bytes_{0};
  std::atomic<uint64_t> live_bytes_{0};

  // Guards the step from MARKING to CLEARING against weak loads.
  std::mutex weak_mutex_;
  Phase phase_ = Phase::kIdle;

  std::mutex mutex_;                  // guards what follows
  std::condition_variable wake_;      // the collector thread waits here, and for steps
  std::condition_variable progress_;  // those who wait for the collector wait here
  std::condition_variable helpers_wake_;
  bool requested_ = false;
  bool stop_ = false;
  bool helpers_stop_ = false;
  uint64_t started_ = 0;  // cycles
  uint64_t ended_ = 0;
  bool step_requested_ = false;  // the next cycle is to be stepped
  bool stepping_ = false;        // in the marking phase of a stepped cycle
  bool step_more_ = true;
  size_t step_objects_ = 0;  // 0: no step is asked for; SIZE_MAX: all that is left
  uint64_t trace_session_ = 0;
  unsigned helpers_busy_ = 0;

  std::vector<std::thread> helpers_;
  std::thread thread_;
};

}  // namespace tandem::tracer
