#include "runtime/swap/pager.h"

#include <signal.h>
#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <numeric>

#include "runtime/base/backoff.h"
#include "runtime/base/check.h"
#include "runtime/base/clock.h"
#include "runtime/base/line.h"
#include "runtime/base/probes.h"
#include "runtime/base/timeline.h"
#include "runtime/swap/page_hash.h"
#include "runtime/swap/trap.h"

namespace tandem::swap {
namespace {

constexpr size_t kRangeWindow = 64;  // reads in flight for one thread
constexpr int kDamageRetries = 8;
// For a page that others have asked for: nobody knows how long it will take, but a page or two can
// leave meanwhile.
constexpr uint64_t kOtherWaitNs = 4'000;

constexpr size_t kMaxBindings = 8;  // heaps a thread; more share the spare port
// __thread and plain data: the fault handler reads it.
__thread Pager::Binding t_bindings[kMaxBindings];
// The pager whose spare port this thread is using.
__thread Pager* t_spare_of = nullptr;
// What the lost-page handler of this thread is told.
constinit thread_local base::Line t_reason;

}  // namespace

Pager::Pager(PagerOptions options, rdma::Fabric& fabric, base::Registry& registry)
    : options_(std::move(options)), fabric_(fabric), metrics_(registry, options_.prefetched) {
  ShowEveryAccess(false);
}

StatusOr<std::unique_ptr<Pager>> Pager::Create(PagerOptions options, rdma::Fabric& fabric,
                                               base::Registry& registry) {
  if (options.local_pages < kMinLocalPages) {
    return Status::InvalidArgument(
        "local memory of " + std::to_string(options.local_pages * base::kPageSize) +
        " bytes is too little: at least " + std::to_string(kMinLocalPages * base::kPageSize) +
        " bytes (" + std::to_string(kMinLocalPages) + " pages) are needed");
  }
  std::unique_ptr<Pager> pager(new Pager(std::move(options), fabric, registry));
  const size_t bytes = pager->options_.heap_bytes;

  auto uffd = Userfault::Open(pager->options_.use_move && !fabric.PinsBuffers());
  if (!uffd.ok()) return uffd.status();
  pager->uffd_ = std::make_unique<Userfault>(std::move(*uffd));
  pager->move_ = pager->uffd_->has_move();

  auto memory = base::OsMemory::Reserve(base::RoundUp(bytes, PageTable::kAlignment),
                                        PageTable::kAlignment, "the heap");
  if (!memory.ok()) return memory.status();
  pager->memory_ = std::move(*memory);
  madvise(pager->memory_.data(), pager->memory_.size(), MADV_NOHUGEPAGE);
  // A child would not inherit the registration and read zeroes: it shall not see the heap at all.
  madvise(pager->memory_.data(), pager->memory_.size(), MADV_DONTFORK);
  if (Status s = pager->uffd_->Register(pager->memory_.address(), pager->memory_.size(),
                                        pager->uffd_->has_write_protect());
      !s.ok()) {
    return s;
  }
  auto table = PageTable::Create(pager->memory_.address(), bytes / base::kPageSize);
  if (!table.ok()) return table.status();
  pager->table_ = std::move(*table);
  pager->budget_ = std::make_unique<Budget>(pager->options_.local_pages);

  auto staging = Staging::Create(*pager->uffd_, pager->move_);
  if (!staging.ok()) return staging.status();
  pager->staging_ = std::move(*staging);
  pager->roads_ = std::make_unique<RoadChoice>(pager->move_);
  pager->mapper_ = std::make_unique<Mapper>(*pager->uffd_, *pager->staging_, *pager->roads_,
                                            pager->metrics_.moved, pager->metrics_.copied);
  pager->unmapper_ =
      std::make_unique<Unmapper>(*pager->table_, *pager->staging_, *pager->uffd_, *pager->roads_);
  const auto& buffers = pager->staging_->memory();
  if (Status s = fabric.RegisterBuffer(buffers.data(), buffers.size()); !s.ok()) return s;
  pager->slabs_ = std::make_unique<rdma::SlabMap>(fabric, pager->table_->pages());

  auto spare = pager->OpenPort();
  if (!spare.ok()) return spare.status();
  pager->spare_port_ = std::move(*spare);
  auto reads = fabric.OpenChannel();
  if (!reads.ok()) return reads.status();
  pager->arrivals_ = std::make_unique<Arrivals>(
      ArrivalsParts{.table = *pager->table_,
                    .staging = *pager->staging_,
                    .mapper = *pager->mapper_,
                    .budget = *pager->budget_,
                    .slabs = *pager->slabs_,
                    .metrics = pager->metrics_,
                    .reserve = Evictor::LowWatermark(*pager->budget_) / 2,
                    .timeout_ns = fabric.TimeoutNs(),
                    .took_frames = [p = pager.get()] { p->evictor_->Relieve(); }},
      std::move(*reads));
  auto replacement = MakeReplacement(pager->options_.replacement);
  if (!replacement.ok()) return replacement.status();
  auto channel = fabric.OpenChannel();
  if (!channel.ok()) return channel.status();
  pager->evictor_ = std::make_unique<Evictor>(EvictorParts{.table = *pager->table_,
                                                           .staging = *pager->staging_,
                                                           .unmapper = *pager->unmapper_,
                                                           .budget = *pager->budget_,
                                                           .footprint = pager->footprint_,
                                                           .slabs = *pager->slabs_,
                                                           .arrivals = *pager->arrivals_,
                                                           .metrics = pager->metrics_,
                                                           .timeout_ns = fabric.TimeoutNs()},
                                              std::move(*channel), std::move(*replacement));
  if (Status s = TrapRegistry::Add(*pager); !s.ok()) return s;
  return pager;
}

Pager::~Pager() { TrapRegistry::Remove(*this); }

StatusOr<std::unique_ptr<Port>> Pager::OpenPort(std::unique_ptr<AccessObserver> observer) {
  auto channel = fabric_.OpenChannel();
  if (!channel.ok()) return channel.status();
  return std::make_unique<Port>(std::move(*channel), fabric_.TimeoutNs(), std::move(observer));
}

Status Pager::Extend(PageIndex end) {
  if (Status s = slabs_->Grow(end); !s.ok()) return s;
  table_->Extend(end);
  return Status::Ok();
}

size_t Pager::TakeFrames(size_t want) {
  size_t got = budget_->TryTake(want);
  evictor_->Relieve();
  if (got > 0) return got;
  const uint64_t start = base::NowNs();
  for (base::Backoff backoff;; backoff.Pause()) {
    evictor_->TryEvict();
    arrivals_->Land();  // pages in flight have frames as well, and can leave once they are local
    got = budget_->TryTake(want);
    if (got > 0) break;
    if (const char* const server = evictor_->lost_server(); server != nullptr) {
      t_reason.Clear();
      t_reason.Add("no page can be written back: the memory server ").Add(server).Add(" is lost");
      Lost(nullptr, t_reason.text());
    }
    evictor_->Wake();
  }
  metrics_.frame_waits.Record(base::NowNs() - start);
  return got;
}

// A mutator has come for a page that was `seen` LOCAL, perhaps after it had `waited`.
void Pager::Touch(PageIndex page, PageState seen, Port& port, bool waited) {
  // Relaxed: the byte's flags order nothing; failure means that somebody else acted on the page.
  const PageState touched = touched_.load(std::memory_order_relaxed);
  if (seen == touched ||
      !table_->state(page).compare_exchange_strong(seen, touched, std::memory_order_relaxed)) {
    return;
  }
  if ((seen & kUntouched) != 0) metrics_.touches.Add();
  if ((seen & kPrefetched) == 0) return;
  EarlyMetrics& early = metrics_.EarlyFor(seen);
  early.Used(waited);
  if (&early != &metrics_.prefetch || port.observer() == nullptr) return;
  Port::InUse in_use(port);  // a signal handler's fault here does not call the observer again
  port.observer()->OnHit(page);
}

void Pager::MakeLocal(PageIndex page, Port& port, Cause cause) {
  bool waited = false;
  for (base::Backoff backoff;;) {
    // Acquire pairs with the fetcher's and the evictor's release stores.
    const PageState seen = table_->state(page).load(std::memory_order_acquire);
    switch (Residency(seen)) {
      case kLocal:
        if (cause == Cause::kMutator) Touch(page, seen, port, waited);
        return;
      case kFar:
        if ((seen & kFresh) != 0) {
          Populate(page, 1);
        } else {
          FetchPage(page, port, cause);
        }
        break;
      case kWriting:
        Rescue(page);
        break;
      default:  // FETCHING or LEAVING: somebody else is at it, or it waits to be landed
        waited = waited || Residency(seen) == kFetching;
        if (arrivals_->Land() == 0 && !evictor_->UseWait(kOtherWaitNs)) backoff.Pause();
    }
  }
}

void Pager::MakeRangeLocal(PageIndex first, size_t count, Port& port) {
  const PageIndex end = first + count;
  PageIndex ahead = first;  // pages before it are local or on their way
  for (PageIndex page = first; page < end;) {
    if (const size_t populated = Populate(page, end - page); populated > 0) {
      page += populated;
      continue;
    }
    if (ahead < end && ahead < page + kRangeWindow / 2) {
      ahead = std::max(ahead, page);
      std::array<PageIndex, kRangeWindow> next;
      const size_t n = std::min<size_t>(end - ahead, page + kRangeWindow - ahead);
      std::iota(next.begin(), next.begin() + n, ahead);
      ahead += arrivals_->Post({next.data(), n}, Purpose::kRange);
    }
    MakeLocal(page, port, Cause::kMutator);
    ++page;
  }
}

void Pager::FetchRangeEarly(PageIndex first, size_t count) {
  std::array<PageIndex, kRangeWindow> far;
  const PageIndex used = table_->used();
  const PageIndex end = first + std::min<size_t>(count, used - std::min(first, used));
  for (PageIndex page = first; page < end;) {
    size_t n = 0;
    for (; page < end && n < far.size(); ++page) {
      if (NeedsRead(page)) far[n++] = page;
    }
    if (n > 0 && arrivals_->Post({far.data(), n}, Purpose::kHint) < n) return;
  }
}

bool Pager::NeedsRead(PageIndex page) {
  // Relaxed: the answer may be stale by the time it is used, whatever the order.
  return page < table_->used() && table_->state(page).load(std::memory_order_relaxed) == kFar &&
         table_->hash(page).load(std::memory_order_relaxed) != kDeadContent;
}

size_t Pager::Populate(PageIndex first, size_t max) {
  if (table_->state(first).load(std::memory_order_relaxed) != (kFar | kFresh)) return 0;
  max = std::min({max, Mapper::kMaxZeroes, table_->used() - first});
  const size_t frames = TakeFrames(max);
  size_t n = 0;
  for (; n < frames; ++n) {
    PageState expected = kFar | kFresh;
    if (!table_->state(first + n).compare_exchange_strong(expected, kFetching,
                                                          std::memory_order_acquire)) {
      break;
    }
  }
  if (n < frames) budget_->GiveBack(frames - n);
  if (n == 0) return 0;
  mapper_->MapZeroes(table_->AddressOf(first), n);
  footprint_.Add(n);
  const PageState born = options_.show_every_access ? kLocal | kArmed : kLocal;
  for (size_t i = 0; i < n; ++i) {
    table_->state(first + i).store(born, std::memory_order_release);
  }
  metrics_.populated.Add(n);
  return n;
}

void Pager::FetchPage(PageIndex page, Port& port, Cause cause) {
  TANDEM_PROBE2(fetch_start, page, static_cast<int>(cause));
  const uint64_t start = base::NowNs();
  // There will be time to see to more frames while the read is under way.
  if (budget_->TryTake(1) == 0) TakeFrames(1);
  const SlotRun slot = staging_->TakeReady(1);
  PageState expected = kFar;
  if (!table_->state(page).compare_exchange_strong(expected, kFetching,
                                                   std::memory_order_acquire)) {
    staging_->PutReady(slot);
    budget_->GiveBack(1);
    return;
  }
  TANDEM_CHECK(table_->hash(page).load(std::memory_order_relaxed) != kDeadContent,
               "a dead object was accessed: its page is protected");
  bool lost = false;
  AccessObserver* const observer = cause == Cause::kMutator ? port.observer() : nullptr;
  bool good = ReadPage(page, slot.first, port, observer, lost);
  for (int attempt = 0; !good && !lost && attempt < kDamageRetries; ++attempt) {
    metrics_.damaged.Add();
    good = ReadPage(page, slot.first, port, nullptr, lost);
  }
  if (!good) {
    table_->state(page).store(kFar, std::memory_order_release);
    staging_->PutReady(slot);
    budget_->GiveBack(1);
    Lost(reinterpret_cast<const void*>(table_->AddressOf(page)), ReasonOf(page, !lost));
  }
  mapper_->Map(table_->AddressOf(page), slot);
  const PageState arrived = cause == Cause::kMutator ? touched_.load(std::memory_order_relaxed)
                                                     : PageState{kLocal | kUntouched | kCold};
  table_->state(page).store(arrived, std::memory_order_release);
  (cause == Cause::kMutator ? metrics_.demand_mutator : metrics_.demand_collector).Add();
  if (table_->LeftRecently(page, budget_->limit())) metrics_.CountRefetch(arrived);
  const uint64_t end = base::NowNs();
  (cause == Cause::kMutator ? metrics_.latency : metrics_.collector_latency).Record(end - start);
  base::Trace(cause == Cause::kMutator ? base::Span::kFetchMutator : base::Span::kFetchCollector,
              start, end, page);
  TANDEM_PROBE2(fetch_done, page, static_cast<int>(cause));
  evictor_->Relieve();
}

// Reads the page into the slot; false if it did not arrive intact. The observer, if there is one,
// is told of the miss while the read is in flight.
bool Pager::ReadPage(PageIndex page, uint32_t slot, Port& port, AccessObserver* observer,
                     bool& lost) {
  const rdma::Transfer read{.direction = rdma::Direction::kRead,
                            .lane = rdma::Lane::kDemand,
                            .far = slabs_->FarAddressOf(page),
                            .local = staging_->Data(slot),
                            .bytes = base::kPageSize};
  uint64_t retries = 0;
  {
    Port::InUse in_use(port);
    port.Start(read);
    if (observer != nullptr) observer->OnMiss(page);
    uint64_t usual_ns = port.usual_wait_ns();
    lost = !port.Finish(retries, [&] {
      arrivals_->Land(4);
      evictor_->UseWait(usual_ns);
      usual_ns = 0;  // used up
    });
  }
  if (retries > 0) metrics_.retries.Add(retries);
  // Relaxed: the hash was published by the state that the claim of the page acquired.
  return !lost &&
         HashPage(staging_->Data(slot)) == table_->hash(page).load(std::memory_order_relaxed);
}

void Pager::Rescue(PageIndex page) {
  TakeFrames(1);
  PageState expected = kWriting;
  // Acquire: the slot number was published by the evictor's store of WRITING.
  if (!table_->state(page).compare_exchange_strong(expected, kFetching,
                                                   std::memory_order_acquire)) {
    budget_->GiveBack(1);
    return;
  }
  const uint32_t slot = table_->slot(page).load(std::memory_order_relaxed) - 1;
  uffd_->Copy(table_->AddressOf(page), staging_->Data(slot), base::kPageSize);
  table_->state(page).store(kLocal, std::memory_order_release);
  evictor_->RescueDone(page);
  metrics_.rescues.Add();
}

void Pager::ArmAllPages() {
  const PageIndex used = table_->used();
  for (PageIndex page = 0; page < used; ++page) {
    auto& state = table_->state(page);
    PageState seen = state.load(std::memory_order_relaxed);
    // Relaxed: only a flag; failure means that somebody else acted on the page.
    if (seen == kLocal) {
      state.compare_exchange_strong(seen, kLocal | kArmed, std::memory_order_relaxed);
    }
  }
}

void Pager::MarkDead(PageIndex first, size_t count) {
  // Far copies are told to the fabric in runs.
  PageIndex run = first;
  const auto flush = [&](PageIndex end) {
    if (end > run) slabs_->Discard(run, end - run);
  };
  for (PageIndex page = first; page < first + count; ++page) {
    auto& state = table_->state(page);
    PageState seen = state.load(std::memory_order_acquire);
    bool had_far_copy = false;
    if (Residency(seen) == kLocal) {
      if (options_.protect_dead) {
        evictor_->Protect(page);
      } else if (state.compare_exchange_strong(seen, kLeaving, std::memory_order_acquire)) {
        // Claimed, so that the page cannot leave with the old hash at the same time.
        const uint64_t old = table_->hash(page).exchange(kDeadContent, std::memory_order_relaxed);
        had_far_copy = old != kNoFarCopy && old != kDeadContent;
        if ((seen & kPrefetched) != 0) metrics_.EarlyFor(seen).Wasted();
        state.store(kLocal | kUntouched, std::memory_order_release);
      }
    } else if (seen == kFar &&
               state.compare_exchange_strong(seen, kFetching, std::memory_order_acquire)) {
      // A protected page may have been dead before.
      had_far_copy = table_->hash(page).load(std::memory_order_relaxed) != kDeadContent;
      if (had_far_copy) footprint_.Subtract(1);
      table_->hash(page).store(options_.protect_dead ? kDeadContent : kNoFarCopy,
                               std::memory_order_relaxed);  // published by the state
      state.store(options_.protect_dead ? kFar : kFar | kFresh, std::memory_order_release);
    }
    // Pages in motion keep their bytes: they are dropped in a later cycle.
    if (!had_far_copy) {
      flush(page);
      run = page + 1;
    }
  }
  flush(first + count);
}

void Pager::Revive(PageIndex page) {
  // Sequentially consistent, before the caller looks at the state: the evictor sets LEAVING and
  // then reads the hash, so either it sees this, or the caller sees that the page is leaving.
  uint64_t expected = kDeadContent;
  table_->hash(page).compare_exchange_strong(expected, kNoFarCopy);
}

bool Pager::IsWorthless(PageIndex page) {
  return table_->state(page).load(std::memory_order_relaxed) == (kFar | kFresh) ||
         table_->hash(page).load(std::memory_order_relaxed) == kDeadContent;
}

void Pager::Pin(PageIndex first, size_t count, Port& port) {
  TANDEM_CHECK(pinned_.fetch_add(count) + count <= budget_->limit() / 2,
               "more than half of local memory would be pinned; pin less or raise local_bytes");
  for (PageIndex page = first; page < first + count; ++page) {
    // Sequentially consistent, before MakeLocal looks at the state: see Evictor::EvictVictims.
    table_->pins(page).fetch_add(1);
    MakeLocal(page, port, Cause::kMutator);
    // MakeLocal may have seen LOCAL just before the evictor claimed the page. The evictor then
    // sees the pin and puts it back, or had looked before the pin and takes it away.
    while (Residency(table_->state(page).load()) != kLocal) {
      MakeLocal(page, port, Cause::kMutator);
    }
    WaitForSpan(page);  // the kernel, which may write to what is pinned, would not
  }
}

// Until stores to the page, which is local, do not trap because others around it leave.
void Pager::WaitForSpan(PageIndex page) {
  if (!unmapper_->InSpan(page)) return;
  metrics_.held_up.Add();
  for (base::Backoff backoff; unmapper_->InSpan(page);) backoff.Pause();
}

void Pager::Unpin(PageIndex first, size_t count) {
  for (PageIndex page = first; page < first + count; ++page) table_->pins(page).fetch_sub(1);
  pinned_.fetch_sub(count);
}

const char* Pager::ReasonOf(PageIndex page, bool damaged) const {
  t_reason.Clear();
  t_reason.Add("page ").Add(page).Add(" (").AddHex(table_->AddressOf(page));
  if (damaged) {
    return t_reason.Add("): its copy is damaged, and stayed so when read again, at memory server ")
        .Add(slabs_->ServerOf(page))
        .text();
  }
  t_reason.Add("): the memory server ").Add(slabs_->ServerOf(page)).Add(" that holds it is lost");
  if (const char* trouble = slabs_->TroubleAt(page); trouble != nullptr) {
    t_reason.Add(": ").Add(trouble);
  }
  return t_reason.text();
}

void Pager::Lost(const void* address, const char* reason) {
  // The handler may never come back.
  if (t_spare_of == this) ReleaseSpare();
  if (options_.on_lost) options_.on_lost(address, reason);
  base::Fatal(reason);
}

void Pager::LostFabric(const char* what, const char* why) {
  t_reason.Clear();
  Lost(nullptr, t_reason.Add(what).Add(": ").Add(why).text());
}

void Pager::BindThread(Port& port, Cause cause) {
  // A trap while SIGBUS is blocked would end the process.
  sigset_t trap;
  sigemptyset(&trap);
  sigaddset(&trap, SIGBUS);
  pthread_sigmask(SIG_UNBLOCK, &trap, nullptr);
  for (Binding& b : t_bindings) {
    if (b.pager != nullptr) continue;
    b.port = &port;
    b.cause = cause;
    b.pager = this;
    return;
  }
}

void Pager::UnbindThread() {
  for (Binding& b : t_bindings) {
    if (b.pager == this) b = {};
  }
}

Pager::Binding* Pager::FindBinding(uintptr_t address) {
  for (Binding& b : t_bindings) {
    if (b.pager != nullptr && b.pager->table_->Contains(address)) return &b;
  }
  return nullptr;
}

void Pager::ServeAccess(uintptr_t address) {
  const PageIndex page = table_->PageOf(address);
  // A store to a page that is here, while others near it leave.
  if (IsLocal(page)) WaitForSpan(page);
  if (Binding* binding = FindBinding(address); binding != nullptr && !binding->port->busy()) {
    MakeLocal(page, *binding->port, binding->cause);
    return;
  }
  for (base::Backoff backoff; spare_locked_.exchange(true, std::memory_order_acquire);) {
    backoff.Pause();
  }
  t_spare_of = this;
  MakeLocal(page, *spare_port_, Cause::kMutator);
  ReleaseSpare();
}

void Pager::ReleaseSpare() {
  t_spare_of = nullptr;
  spare_locked_.store(false, std::memory_order_release);
}

}  // namespace tandem::swap
