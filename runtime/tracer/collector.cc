#include "runtime/tracer/collector.h"

#include <pthread.h>

#include "runtime/base/clock.h"
#include "runtime/base/probes.h"
#include "runtime/base/timeline.h"
#include "runtime/tracer/verifier.h"

namespace tandem::tracer {
namespace {

// What the probe `phase` tells: docs/tracing.md.
enum ProbedPhase : int { kProbedIdle, kProbedMarking, kProbedClearing, kProbedSweeping };

}  // namespace

StatusOr<std::unique_ptr<Collector>> Collector::Create(CollectorOptions options, heap::Space& space,
                                                       heap::BlockPool& pool, heap::Roots& roots,
                                                       heap::Finalizers& finalizers,
                                                       base::Registry& registry) {
  if (options.tracers < 1 || options.tracers > 64) {
    return Status::InvalidArgument("the number of tracer threads must be between 1 and 64");
  }
  if (!(options.growth > 1.0)) {
    return Status::InvalidArgument("the growth factor must be greater than 1");
  }
  auto stamps = PageStamps::Create(space.pager.table().pages());
  if (!stamps.ok()) return stamps.status();
  std::unique_ptr<Collector> collector(new Collector(std::move(options), space, pool, roots,
                                                     finalizers, registry, std::move(*stamps)));
  for (unsigned i = 0; i < collector->options_.tracers; ++i) {
    auto surroundings = std::make_unique<HeapSurroundings>(
        space, pool, collector->grey_, collector->handshakes_, collector->stamps_, i == 0);
    auto order = MakeOrder(collector->options_.order, *surroundings, collector->order_metrics_);
    if (!order.ok()) return order.status();
    auto port = space.pager.OpenPort();
    if (!port.ok()) return port.status();
    collector->tracers_.push_back(std::make_unique<Tracer>(
        space, collector->grey_, std::move(surroundings), std::move(*order), std::move(*port)));
  }
  Collector* self = collector.get();
  for (unsigned i = 1; i < self->options_.tracers; ++i) {
    self->helpers_.emplace_back([self, i] { self->HelperMain(i); });
  }
  self->thread_ = std::thread([self] { self->ThreadMain(); });
  return collector;
}

Collector::Collector(CollectorOptions options, heap::Space& space, heap::BlockPool& pool,
                     heap::Roots& roots, heap::Finalizers& finalizers, base::Registry& registry,
                     PageStamps stamps)
    : options_(std::move(options)),
      space_(space),
      pool_(pool),
      roots_(roots),
      finalizers_(finalizers),
      metrics_(registry),
      order_metrics_(registry),
      handshakes_(space.pager),
      stamps_(std::move(stamps)),
      pacer_(pool.limit_bytes(), space.pager.budget().limit() * base::kPageSize, options_.growth),
      sweeper_(space, pool, options_.protect_dead) {
  trigger_bytes_.store(options_.automatic ? pacer_.FirstTrigger() : UINT64_MAX,
                       std::memory_order_relaxed);
}

Collector::~Collector() {
  {
    std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  // A cycle in progress ends first, and needs the helpers for that.
  if (thread_.joinable()) thread_.join();
  {
    std::lock_guard lock(mutex_);
    helpers_stop_ = true;
  }
  helpers_wake_.notify_all();
  for (auto& helper : helpers_) helper.join();
}

template <typename Condition>
void Collector::Wait(Condition&& condition) {
  const auto wait = [&] {
    std::unique_lock lock(mutex_);
    progress_.wait(lock, condition);
  };
  MutatorThread::RunSafelyInAllHeaps(wait);
}

void Collector::Request() {
  {
    std::lock_guard lock(mutex_);
    if (requested_) return;
    requested_ = true;
    // Not again until the cycle has ended and set a new trigger.
    trigger_bytes_.store(UINT64_MAX, std::memory_order_relaxed);
  }
  wake_.notify_one();
}

void Collector::Collect() {
  uint64_t goal = 0;
  {
    std::lock_guard lock(mutex_);
    requested_ = true;
    goal = started_ + 1;
  }
  wake_.notify_one();
  Wait([&] { return ended_ >= goal; });
  if (recorder() == nullptr) return;
  if (MutatorThread* self = MutatorThread::Find(space_.blocks.base())) self->RecordWait();
}

void Collector::StepBegin() {
  {
    std::lock_guard lock(mutex_);
    step_requested_ = true;
    requested_ = true;
  }
  wake_.notify_one();
  Wait([&] { return stepping_; });
}

bool Collector::Step(size_t objects) {
  {
    std::lock_guard lock(mutex_);
    step_objects_ = objects;
  }
  wake_.notify_one();
  Wait([&] { return step_objects_ == 0; });
  std::lock_guard lock(mutex_);
  return step_more_;
}

void Collector::StepEnd() {
  uint64_t goal = 0;
  {
    std::lock_guard lock(mutex_);
    goal = started_;
    step_objects_ = SIZE_MAX;
  }
  wake_.notify_one();
  Wait([&] { return ended_ >= goal; });
}

void Collector::ThreadMain() {
  pthread_setname_np(pthread_self(), "tandem-collect");
  space_.pager.BindThread(tracers_[0]->port(), swap::Cause::kCollector);
  while (true) {
    bool stepping = false;
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [&] { return requested_ || stop_; });
      if (stop_) break;
      requested_ = false;
      stepping = std::exchange(step_requested_, false);
      step_objects_ = 0;
      ++started_;
    }
    RunCycle(stepping);
    {
      std::lock_guard lock(mutex_);
      ended_ = started_;
    }
    progress_.notify_all();
  }
  space_.pager.UnbindThread();
}

void Collector::HelperMain(unsigned index) {
  pthread_setname_np(pthread_self(), "tandem-trace");
  Tracer& tracer = *tracers_[index];
  space_.pager.BindThread(tracer.port(), swap::Cause::kCollector);
  uint64_t session = 0;
  while (true) {
    {
      std::unique_lock lock(mutex_);
      helpers_wake_.wait(lock, [&] { return trace_session_ != session || helpers_stop_; });
      if (helpers_stop_) break;
      session = trace_session_;
    }
    tracer.Run();
    {
      std::lock_guard lock(mutex_);
      --helpers_busy_;
    }
    progress_.notify_all();
  }
  space_.pager.UnbindThread();
}

void Collector::RunCycle(bool stepping) {
  const uint64_t start = base::NowNs();
  TANDEM_PROBE2(phase, kProbedIdle, kProbedMarking);
  const uint64_t marked_before = metrics_.marked.Value();
  const uint64_t allocated_before = pool_.allocated_bytes();
  BeginMarking();
  TraceAll(stepping);
  if (options_.verify) Verify();
  ClearWeak();
  KeepFinalizable();
  ClearWeak();
  const uint64_t marked = base::NowNs();
  TANDEM_PROBE2(phase, kProbedClearing, kProbedSweeping);
  EndMarking();
  const uint64_t allocated = pool_.allocated_bytes() - allocated_before;
  pool_.ResetAllocated();
  const heap::SweepResult swept = sweeper_.Sweep();
  const uint64_t end = base::NowNs();

  live_bytes_.store(swept.live_bytes, std::memory_order_relaxed);
  if (options_.automatic) {
    trigger_bytes_.store(pacer_.NextTrigger(swept.live_bytes, allocated),
                         std::memory_order_relaxed);
  }
  metrics_.cycles.Add();
  metrics_.live_bytes.Record(swept.live_bytes);
  metrics_.freed_bytes.Add(swept.freed_bytes);
  metrics_.dead_pages.Add(swept.dead_pages);
  metrics_.mark_ns.Add(marked - start);
  metrics_.sweep_ns.Add(end - marked);
  metrics_.cycle_ns.Record(end - start);
  base::Trace(base::Span::kMark, start, marked, metrics_.marked.Value() - marked_before);
  base::Trace(base::Span::kSweep, marked, end, swept.freed_bytes);
  base::Trace(base::Span::kCycle, start, end, swept.live_bytes);
  TANDEM_PROBE2(phase, kProbedSweeping, kProbedIdle);
  TANDEM_PROBE2(cycle, end - start, swept.live_bytes);
}

void Collector::BeginMarking() {
  {
    std::lock_guard lock(weak_mutex_);
    phase_ = Phase::kMarking;
  }
  const Operation log_all = [](MutatorThread& t) { t.SetLogging(Logging::kOldAndNew); };
  handshakes_.Execute(log_all, log_all);
  handshakes_.Execute([](MutatorThread&) {}, log_all);  // no store from before is under way now

  const AccessLog accesses = tracers_[0]->order().access_log();
  const size_t ring_entries = tracers_[0]->order().ring_entries();
  std::atomic<bool> recorded{false};
  const Operation scan = [this, accesses, ring_entries, &recorded](MutatorThread& t) {
    t.BeginMarking();
    t.accesses().Resize(ring_entries);
    t.SetAccessLog(accesses);
    GreyBatch found;
    t.ScanRoots([&](uintptr_t object) { found.push_back(object + internal::kHeaderBytes); });
    if (recorder() != nullptr) RecordRoots(found, !recorded.exchange(true));
    grey_.Add(std::move(found));
    t.SetLogging(Logging::kOld);
  };
  // A thread that joins now has nothing on its stack that is not reachable otherwise.
  const Operation join = [accesses, ring_entries](MutatorThread& t) {
    t.EndMarking();  // takes over the current cycle
    t.BeginMarking();
    t.accesses().Resize(ring_entries);
    t.SetAccessLog(accesses);
    t.SetLogging(Logging::kOld);
  };
  space_.pager.ShowEveryAccess(accesses == AccessLog::kObjects);
  handshakes_.Execute(scan, join);
  if (recorder() != nullptr && !recorded) RecordRoots({}, true);
  // The first access to each page is to be seen in this cycle.
  if (accesses == AccessLog::kPages || accesses == AccessLog::kObjects) {
    space_.pager.ArmAllPages();
  }

  GreyBatch found;
  // In this order: RunFinalizers moves an object from the queue to a root.
  finalizers_.ForEachReady([&](uintptr_t reference) { found.push_back(reference); });
  roots_.ForEach([&](uintptr_t reference) { found.push_back(reference); });
  grey_.Add(std::move(found));
}

// The first thread to be scanned brings those roots along that are not on stacks: in this order
// tracers take them from the pool.
void Collector::RecordRoots(const GreyBatch& of_a_thread, bool first) {
  std::vector<uintptr_t> objects;
  const auto add = [&](uintptr_t reference) { objects.push_back(heap::HeaderOf(reference)); };
  if (first) {
    finalizers_.ForEachReady(add);
    roots_.ForEach(add);
  }
  for (const uintptr_t reference : of_a_thread) add(reference);
  recorder()->Roots(first ? record::Kind::kCycle : record::Kind::kRoots, objects);
}

void Collector::TraceAll(bool stepping) {
  do {
    Trace(stepping);
  } while (HandInLogs());
  if (!stepping) return;
  std::unique_lock lock(mutex_);
  step_more_ = false;
  if (step_objects_ != SIZE_MAX) {
    step_objects_ = 0;
    progress_.notify_all();
    wake_.wait(lock, [&] { return step_objects_ != 0; });  // StepEnd
  }
  stepping_ = false;
  step_objects_ = 0;
  progress_.notify_all();
}

void Collector::Trace(bool stepping) {
  const auto sum = [this](uint64_t (Tracer::*of)() const) {
    uint64_t total = 0;
    for (const auto& t : tracers_) total += (*t.*of)();
    return total;
  };
  const uint64_t marked_before = sum(&Tracer::objects_marked);
  const uint64_t references_before = sum(&Tracer::references_found);
  if (stepping) {
    grey_.Begin(1);
    std::unique_lock lock(mutex_);
    for (bool more = true; more;) {
      stepping_ = true;
      step_more_ = true;
      progress_.notify_all();
      wake_.wait(lock, [&] { return step_objects_ != 0; });
      const size_t objects = step_objects_;
      lock.unlock();
      more = tracers_[0]->Step(objects);
      lock.lock();
      // When nothing is left the logs are handed in before the step is answered.
      if (more && objects != SIZE_MAX) step_objects_ = 0;
    }
  } else {
    grey_.Begin(static_cast<unsigned>(tracers_.size()));
    {
      std::lock_guard lock(mutex_);
      ++trace_session_;
      helpers_busy_ = static_cast<unsigned>(helpers_.size());
    }
    helpers_wake_.notify_all();
    tracers_[0]->Run();
    std::unique_lock lock(mutex_);
    progress_.wait(lock, [&] { return helpers_busy_ == 0; });
  }
  metrics_.marked.Add(sum(&Tracer::objects_marked) - marked_before);
  metrics_.references.Add(sum(&Tracer::references_found) - references_before);
}

// True if there is more to trace; false if marking is over, and then the phase is CLEARING.
bool Collector::HandInLogs() {
  metrics_.rounds.Add();
  std::atomic<bool> any{false};
  const Operation hand_in = [&any](MutatorThread& t) {
    if (t.FlushLog()) any.store(true, std::memory_order_relaxed);  // read after the handshake
  };
  handshakes_.Execute(hand_in, nullptr);
  std::lock_guard lock(weak_mutex_);
  if (any.load(std::memory_order_relaxed) || !grey_.Empty()) return true;
  phase_ = Phase::kClearing;
  TANDEM_PROBE2(phase, kProbedMarking, kProbedClearing);
  return false;
}

uintptr_t Collector::WeakLoad(const std::atomic<uintptr_t>& slot) {
  std::lock_guard lock(weak_mutex_);
  const uintptr_t reference = slot.load(std::memory_order_relaxed);  // the lock orders it
  if (reference == 0 || space_.tables.IsMarked(heap::HeaderOf(reference))) return reference;
  switch (phase_) {
    case Phase::kIdle:
      return reference;
    case Phase::kMarking:
      grey_.Add({reference});
      return reference;
    case Phase::kClearing:
      break;
  }
  return 0;
}

void Collector::ClearWeak() {
  for (auto& tracer : tracers_) {
    for (const WeakSlot& w : tracer->TakeWeakSlots()) {
      if (space_.tables.IsMarked(heap::HeaderOf(w.target))) continue;
      // By CAS: a mutator may have stored something else, which is alive.
      uintptr_t expected = w.target;
      if (w.slot->compare_exchange_strong(expected, 0, std::memory_order_relaxed)) {
        metrics_.weak_cleared.Add();
      }
    }
  }
}

void Collector::KeepFinalizable() {
  GreyBatch kept;
  finalizers_.MoveDead(
      [&](uintptr_t reference) { return space_.tables.IsMarked(heap::HeaderOf(reference)); },
      [&](uintptr_t reference) { kept.push_back(reference); });
  if (kept.empty()) return;
  metrics_.finalizable.Add(kept.size());
  grey_.Add(std::move(kept));
  Trace(false);
}

void Collector::EndMarking() {
  const Operation end = [](MutatorThread& t) {
    t.EndMarking();
    t.FlushLog();
    t.SetLogging(Logging::kNone);
    t.SetAccessLog(AccessLog::kNone);
    t.accesses().Clear();
  };
  space_.pager.ShowEveryAccess(false);
  // No thread may join in between: it would allocate marked into blocks of the new cycle.
  handshakes_.Execute(
      end, [](MutatorThread& t) { t.EndMarking(); }, [this] { pool_.BeginSweep(); });
  // What was logged since marking ended was reachable, so it is marked.
  while (!grey_.TryGet().empty()) {
  }
  std::lock_guard lock(weak_mutex_);
  phase_ = Phase::kIdle;
}

void Collector::Verify() {
  Verifier verifier(space_, tracers_[0]->port());
  roots_.ForEach([&](uintptr_t reference) { verifier.AddRoot(reference); });
  std::mutex mutex;
  const Operation scan = [&](MutatorThread& t) {
    std::lock_guard lock(mutex);
    t.ScanRoots([&](uintptr_t object) { verifier.AddStackObject(object); });
  };
  handshakes_.Execute(scan, nullptr);
  metrics_.verified.Add(verifier.Run());
}

}  // namespace tandem::tracer
