#include "runtime/swap/evictor.h"

#include <pthread.h>

#include <algorithm>
#include <optional>
#include <span>

#include "runtime/base/backoff.h"
#include "runtime/base/check.h"
#include "runtime/base/clock.h"
#include "runtime/base/futex.h"
#include "runtime/base/probes.h"
#include "runtime/base/signals_blocked.h"
#include "runtime/base/timeline.h"
#include "runtime/swap/page_hash.h"
#include "runtime/swap/port.h"
#include "runtime/swap/zero_pages.h"

namespace tandem::swap {
namespace {

constexpr size_t kMaxBatch = Unmapper::kMaxPages;
// Writes queued or in flight. The rest of the slots is for fetches: since only the holder of the
// lock polls writes, it must never wait for a slot that one of them has.
constexpr size_t kMaxWrites = Staging::kSlots / 4;

}  // namespace

Evictor::Evictor(EvictorParts parts, std::unique_ptr<rdma::Channel> channel,
                 std::unique_ptr<Replacement> replacement)
    : parts_(parts),
      channel_(std::move(channel)),
      replacement_(std::move(replacement)),
      zero_hash_(HashPage(kZeroes)) {
  low_ = LowWatermark(parts_.budget);
  parts_.batch = std::min({parts_.batch, kMaxBatch, 2 * low_});
  StartThread();
}

// The application's signal handlers may touch the heap. On this thread they would wait for locks
// and pages that it holds itself, so they run elsewhere.
void Evictor::StartThread() {
  const base::SignalsBlocked blocked;
  thread_ = std::thread([this] { ThreadMain(); });
}

Evictor::~Evictor() {
  stop_.store(true);
  wakeups_.fetch_add(1);
  base::FutexWake(wakeups_, 1);
  thread_.join();
}

void Evictor::Wake() {
  // Sequentially consistent, as taking frames and looking at them is: either ThreadMain sees that
  // frames are short after it has set asleep_, or this, after frames were taken, sees asleep_.
  if (!asleep_.load()) return;
  wakeups_.fetch_add(1);
  base::FutexWake(wakeups_, 1);
}

bool Evictor::UseWaitNow(uint64_t usual_ns) {
  if (!TryLock()) return false;
  size_t n = 0;
  // Many leave together at less cost, but what is waited for should not lie there meanwhile.
  const size_t fit = usual_ns / std::max<uint64_t>(page_cost_.ns(), 1);
  if (fit > 0 && !lost()) {
    n = EvictBatch(std::min({fit, parts_.batch, kBatchHere}));
    PollWrites();
    parts_.metrics.in_wait.Add();
  }
  Unlock();
  return n > 0;
}

void Evictor::ThreadMain() {
  pthread_setname_np(pthread_self(), "tandem-evict");
  while (!stop_.load(std::memory_order_relaxed)) {  // a late look costs one more round
    const uint32_t seen = wakeups_.load();
    base::Backoff backoff;
    while (!stop_.load(std::memory_order_relaxed)) {
      size_t progress = 0;
      bool idle = false;
      if (TryLock()) {
        if (FramesRunOut() && !lost()) progress = EvictBatch(parts_.batch);
        progress += PollWrites();
        idle = !FramesRunOut() && in_flight_ == 0 && post_head_ == post_tail_;
        Unlock();
      }
      progress += parts_.arrivals.Land();
      if (idle || lost()) break;
      if (progress > 0) {
        backoff = {};
      } else {
        backoff.Pause();
      }
    }
    asleep_.store(true);  // see Wake
    if ((!FramesRunOut() || lost()) && !stop_.load()) {
      base::FutexWait(wakeups_, seen, 100'000'000);
    }
    asleep_.store(false);
  }
}

void Evictor::GoOn() {
  if (!TryLock()) return;
  PollWrites();
  Unlock();
}

bool Evictor::TryEvict() {
  if (!TryLock()) return false;
  if (!lost()) {
    EvictBatch(std::min(parts_.batch, kBatchHere));
    PollWrites();
    parts_.metrics.by_mutator.Add();
  }
  Unlock();
  return true;
}

size_t Evictor::EvictBatch(size_t most) {
  const uint64_t start = base::NowNs();
  const size_t queued = post_tail_;
  const size_t n = EvictVictims(most);
  const uint64_t end = base::NowNs();
  if (n == 0) return 0;
  page_cost_.Note((end - start) / n);
  const auto written = static_cast<uint32_t>(post_tail_ - queued);
  base::Trace(base::Span::kEvict, start, end, n, written);
  base::Trace(base::Span::kLocalPages, end, end, parts_.budget.taken());
  TANDEM_PROBE2(evict_batch, n, written);
  return n;
}

size_t Evictor::EvictVictims(size_t most) {
  if (in_flight_ + (post_tail_ - post_head_) + most > kMaxWrites) return 0;
  Victim victims[kMaxBatch];
  const size_t chosen = replacement_->Select(parts_.table, std::span(victims, most));
  PageIndex pages[kMaxBatch];
  size_t n = 0;
  for (size_t i = 0; i < chosen; ++i) {
    const PageIndex page = victims[i].page;
    // Sequentially consistent against Pager::Pin: it raises the count, then looks at the state.
    // The slot is non-zero while an earlier write of the page is in flight.
    if (parts_.table.pins(page).load() != 0 ||
        parts_.table.slot(page).load(std::memory_order_acquire) != 0) {
      // As if touched, so that it is not chosen again at once.
      parts_.table.state(page).store(victims[i].seen & ~kUntouched, std::memory_order_release);
      parts_.metrics.put_back.Add();
      continue;
    }
    if ((victims[i].seen & kPrefetched) != 0) parts_.metrics.EarlyFor(victims[i].seen).Wasted();
    pages[n++] = page;
  }
  uint32_t slots[kMaxBatch];
  parts_.unmapper.TakeOut({pages, n}, slots);
  parts_.budget.GiveBack(n);
  for (size_t i = 0; i < n; ++i) {
    parts_.table.NoteDeparture(pages[i]);
    Leave(pages[i], slots[i]);
  }
  parts_.metrics.evicted.Add(n);
  PostWrites();
  return n;
}

void Evictor::Leave(PageIndex page, uint32_t slot) {
  auto& state = parts_.table.state(page);
  auto& hash = parts_.table.hash(page);
  // Sequentially consistent, after LEAVING and after unmapping: a Revive that this misses is
  // followed by stores that find the page missing. See Pager::Revive.
  const uint64_t known = hash.load();
  const uint64_t now = known == kDeadContent ? kDeadContent : HashPage(parts_.staging.Data(slot));
  if (now == known && now != kDeadContent) {
    parts_.metrics.clean.Add();
    parts_.staging.PutReady({slot, 1});
    state.store(kFar, std::memory_order_release);
    return;
  }
  if (now == kDeadContent || now == zero_hash_) {
    (now == kDeadContent ? parts_.metrics.dead : parts_.metrics.zero).Add();
    parts_.footprint.Subtract(1);
    parts_.staging.PutReady({slot, 1});
    hash.store(kNoFarCopy, std::memory_order_relaxed);  // published by the state
    state.store(kFar | kFresh, std::memory_order_release);
    return;
  }
  hash.store(now, std::memory_order_relaxed);  // published by the state
  slots_[slot].flags.store(0, std::memory_order_relaxed);
  slots_[slot].page = page;
  parts_.table.slot(page).store(slot + 1, std::memory_order_relaxed);
  state.store(kWriting, std::memory_order_release);
  QueueWrite(slot);
  parts_.metrics.write_backs.Add();
}

void Evictor::QueueWrite(uint32_t slot) {
  to_post_[post_tail_ % Staging::kSlots] = slot;
  ++post_tail_;
}

void Evictor::PostWrites() {
  while (post_head_ != post_tail_) {
    std::array<rdma::Transfer, kBatchHere> writes;
    size_t n = 0;
    for (size_t i = post_head_; i != post_tail_ && n < writes.size(); ++i) {
      const uint32_t slot = to_post_[i % Staging::kSlots];
      writes[n++] = {.direction = rdma::Direction::kWrite,
                     .lane = rdma::Lane::kWriteBack,
                     .far = parts_.slabs.FarAddressOf(slots_[slot].page),
                     .local = parts_.staging.Data(slot),
                     .bytes = base::kPageSize,
                     .cookie = slot};
    }
    const size_t posted = channel_->Post({writes.data(), n});
    const uint64_t deadline_ns = base::NowNs() + parts_.timeout_ns;
    for (size_t i = 0; i < posted; ++i) slots_[writes[i].cookie].deadline_ns = deadline_ns;
    in_flight_ += posted;
    post_head_ += posted;
    if (posted < n) return;  // the queue is full; PollWrites goes on
  }
}

size_t Evictor::PollWrites() {
  if (in_flight_ == 0) return 0;
  size_t total = 0;
  rdma::Completion completions[32];
  while (const size_t n = channel_->Poll(completions)) {
    total += n;
    for (size_t i = 0; i < n; ++i) {
      const auto slot = static_cast<uint32_t>(completions[i].cookie);
      --in_flight_;
      slots_[slot].deadline_ns = 0;
      if (completions[i].outcome == rdma::Outcome::kDone) {
        WriteCompleted(slot);
      } else {
        NoteLoss(slot);  // the page stays where it is: WRITING
      }
    }
  }
  if (total > 0) {
    overdue_checks_ = 0;
    if (post_head_ != post_tail_ && !lost()) PostWrites();
  } else {
    RetryOverdueWrites();
  }
  return total;
}

void Evictor::RetryOverdueWrites() {
  const uint64_t now = base::NowNs();
  if (now < next_timeout_check_ns_) return;
  next_timeout_check_ns_ = now + parts_.timeout_ns / 4;
  std::optional<uint32_t> overdue;
  for (uint32_t slot = 0; slot < Staging::kSlots; ++slot) {
    if (slots_[slot].deadline_ns == 0 || now < slots_[slot].deadline_ns) continue;
    if (!channel_->Cancel(slot)) continue;  // it completed just now: the next poll has it
    overdue = slot;
    --in_flight_;
    slots_[slot].deadline_ns = 0;
    parts_.metrics.write_retries.Add();
    // No other write of that page can be in flight, so posting it last overtakes nothing.
    QueueWrite(slot);
  }
  // A far side that is silent for as long as a read would wait for it is taken for lost.
  if (overdue && ++overdue_checks_ > 4 * Port::kMaxTimeouts) NoteLoss(*overdue);
  PostWrites();
}

void Evictor::WriteCompleted(uint32_t slot) {
  const PageIndex page = slots_[slot].page;
  PageState expected = kWriting;
  // Release: the far copy is good. On failure the page was taken back (transition g).
  if (parts_.table.state(page).compare_exchange_strong(expected, kFar, std::memory_order_acq_rel)) {
    Recycle(page, slot);
  } else if (slots_[slot].flags.fetch_or(kWriteDone, std::memory_order_acq_rel) & kRescueDone) {
    Recycle(page, slot);
  }
}

void Evictor::RescueDone(PageIndex page) {
  const uint32_t slot = parts_.table.slot(page).load(std::memory_order_acquire) - 1;
  if (slots_[slot].flags.fetch_or(kRescueDone, std::memory_order_acq_rel) & kWriteDone) {
    Recycle(page, slot);
  }
}

void Evictor::Recycle(PageIndex page, uint32_t slot) {
  parts_.table.slot(page).store(0, std::memory_order_release);
  parts_.staging.PutReady({slot, 1});
}

void Evictor::Protect(PageIndex page) {
  for (base::Backoff backoff; !TryLock(); backoff.Pause()) {
  }
  auto& state = parts_.table.state(page);
  PageState seen = state.load(std::memory_order_relaxed);
  if (Residency(seen) == kLocal && state.compare_exchange_strong(seen, kLeaving)) {
    if (parts_.table.pins(page).load() == 0 && parts_.table.slot(page).load() == 0) {
      Userfault::Unmap(parts_.table.AddressOf(page), base::kPageSize);
      parts_.budget.GiveBack(1);
      parts_.footprint.Subtract(1);
      parts_.table.hash(page).store(kDeadContent, std::memory_order_relaxed);
      state.store(kFar, std::memory_order_release);  // d: dead, but kept from being fetched
      if ((seen & kPrefetched) != 0) parts_.metrics.EarlyFor(seen).Wasted();
    } else {
      state.store(seen, std::memory_order_release);
    }
  }
  Unlock();
}

}  // namespace tandem::swap
