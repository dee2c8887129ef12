#include "runtime/swap/arrivals.h"

#include <algorithm>
#include <utility>

#include "runtime/base/clock.h"
#include "runtime/base/timeline.h"
#include "runtime/swap/page_hash.h"
#include "runtime/swap/port.h"

namespace tandem::swap {
namespace {

constexpr uint8_t kMaxDamaged = 8;
constexpr size_t kSlotsAtOnce = 32;

constexpr base::Span kSpanOf[kPurposes] = {base::Span::kPostRange, base::Span::kPostPrefetch,
                                           base::Span::kPostHint, base::Span::kPostLookAhead,
                                           base::Span::kPostTrace};

}  // namespace

Arrivals::Arrivals(ArrivalsParts parts, std::unique_ptr<rdma::Channel> channel)
    : parts_(std::move(parts)),
      channel_(std::move(channel)),
      // A small heap's frames must not all be on their way.
      max_in_flight_(std::min(
          {kMaxInFlight, channel_->depth(), std::max<size_t>(parts_.budget.limit() / 4, 1)})) {
  for (uint32_t i = kMaxInFlight; i > 0; --i) free_[free_count_++] = i - 1;
}

size_t Arrivals::Post(std::span<const PageIndex> pages, Purpose purpose, size_t* posted) {
  if (!TryLock()) {
    parts_.metrics.post_conflicts.Add();
    return 0;
  }
  size_t done = 0;
  const uint64_t before = in_flight();
  while (done < pages.size()) {
    const size_t some = std::min(pages.size() - done, kPostAtOnce);
    const size_t dealt_with = PostSome(pages.subspan(done, some), purpose);
    done += dealt_with;
    if (dealt_with < some) break;
  }
  if (slots_.count > 0) parts_.staging.PutReady(std::exchange(slots_, {}));
  const size_t started = in_flight() - before;
  Unlock();
  if (started > 0) {
    CounterOf(purpose).Add(started);
    base::TraceNow(kSpanOf[static_cast<size_t>(purpose)], started);
    if (parts_.took_frames) parts_.took_frames();
  }
  if (posted != nullptr) *posted += started;
  return done;
}

// As Post, for at most kPostAtOnce pages.
size_t Arrivals::PostSome(std::span<const PageIndex> pages, Purpose purpose) {
  std::array<rdma::Transfer, kPostAtOnce> reads;
  std::array<size_t, kPostAtOnce> of_page;
  size_t n = 0;
  size_t done = 0;
  for (; done < pages.size(); ++done) {
    // Relaxed: Claim decides.
    if (pages[done] >= parts_.table.used() ||
        parts_.table.state(pages[done]).load(std::memory_order_relaxed) != kFar) {
      continue;
    }
    uint32_t entry = kNone;
    if (!Claim(pages[done], purpose, entry)) break;
    if (entry == kNone) continue;
    of_page[n] = done;
    reads[n++] = ReadOf(entry);
  }
  if (n == 0) return done;
  const size_t posted = channel_->Post({reads.data(), n});
  const uint64_t deadline_ns = base::NowNs() + parts_.timeout_ns;
  for (size_t i = 0; i < posted; ++i) entries_[reads[i].cookie].deadline_ns = deadline_ns;
  if (posted == n) return done;
  // There is room in the queue, but a fabric may be short of other things (SealedFabric: buffers).
  for (size_t i = n; i > posted; --i) Unclaim(static_cast<uint32_t>(reads[i - 1].cookie));
  return of_page[posted];
}

base::Counter& Arrivals::CounterOf(Purpose purpose) {
  if (EarlyMetrics* early = EarlyOf(purpose)) return early->issued;
  return purpose == Purpose::kRange ? parts_.metrics.demand_mutator : parts_.metrics.trace;
}

EarlyMetrics* Arrivals::EarlyOf(Purpose purpose) {
  switch (purpose) {
    case Purpose::kPrefetch:
      return &parts_.metrics.prefetch;
    case Purpose::kHint:
      return &parts_.metrics.hint;
    case Purpose::kLookAhead:
      return &parts_.metrics.lookahead;
    case Purpose::kRange:
    case Purpose::kTrace:
      break;
  }
  return nullptr;
}

// False if frames, slots or entries are used up. Else `entry` is what the page is to be read by,
// which is not posted yet; unchanged if somebody else has the page.
bool Arrivals::Claim(PageIndex page, Purpose purpose, uint32_t& entry) {
  if (in_flight() >= max_in_flight_) return false;
  if (purpose != Purpose::kRange && parts_.budget.free() <= parts_.reserve) return false;
  if (slots_.count == 0) {
    slots_ = parts_.staging.TryTakeReady(kSlotsAtOnce);
    if (slots_.count == 0) slots_ = parts_.staging.TryMakeReady(kSlotsAtOnce);
    if (slots_.count == 0) return false;
  }
  if (parts_.budget.TryTake(1) == 0) return false;
  auto& state = parts_.table.state(page);
  PageState expected = kFar;
  // Acquire: the hash and the far copy were published by the state.
  if (!state.compare_exchange_strong(expected, kFetching, std::memory_order_acquire)) {
    parts_.budget.GiveBack(1);
    return true;
  }
  if (parts_.table.hash(page).load(std::memory_order_relaxed) == kDeadContent) {
    state.store(kFar, std::memory_order_release);  // protected: it shall trap
    parts_.budget.GiveBack(1);
    return true;
  }
  entry = free_[--free_count_];
  entries_[entry] = {.page = page, .slot = slots_.first, .purpose = purpose};
  in_flight_.store(in_flight() + 1, std::memory_order_relaxed);
  ++slots_.first;
  --slots_.count;
  return true;
}

rdma::Transfer Arrivals::ReadOf(uint32_t entry) const {
  const Entry& e = entries_[entry];
  return {.direction = rdma::Direction::kRead,
          .lane = kLaneOf[static_cast<size_t>(e.purpose)],
          .far = parts_.slabs.FarAddressOf(e.page),
          .local = parts_.staging.Data(e.slot),
          .bytes = base::kPageSize,
          .cookie = entry};
}

bool Arrivals::PostAgain(uint32_t entry) {
  const rdma::Transfer read = ReadOf(entry);
  if (channel_->Post({&read, 1}) == 0) return false;
  entries_[entry].deadline_ns = base::NowNs() + parts_.timeout_ns;
  return true;
}

size_t Arrivals::Land(size_t max) {
  if (in_flight() == 0 || !TryLock()) return 0;
  max = std::min(max, kMaxLanding);
  std::array<rdma::Completion, kMaxLanding> completions;
  const size_t n = channel_->Poll({completions.data(), max});
  std::array<uint32_t, kMaxLanding> good;
  size_t landed = 0;
  for (size_t i = 0; i < n; ++i) {
    const auto entry = static_cast<uint32_t>(completions[i].cookie);
    Entry& e = entries_[entry];
    if (completions[i].outcome != rdma::Outcome::kDone) {
      GiveUp(entry);  // who needs the page asks for it again, and reports the loss
      continue;
    }
    // Relaxed: the hash was published by the state that the claim of the page acquired.
    if (HashPage(parts_.staging.Data(e.slot)) ==
        parts_.table.hash(e.page).load(std::memory_order_relaxed)) {
      good[landed++] = entry;
      continue;
    }
    parts_.metrics.damaged.Add();
    if (++e.damaged > kMaxDamaged || !PostAgain(entry)) GiveUp(entry);
  }
  for (size_t i = 0; i < landed;) {
    size_t run = 1;
    while (i + run < landed && entries_[good[i + run]].page == entries_[good[i]].page + run &&
           entries_[good[i + run]].slot == entries_[good[i]].slot + run) {
      ++run;
    }
    MapRun({good.data() + i, run});
    i += run;
  }
  if (n > 0) overdue_checks_ = 0;
  if (n < max) RetryOverdue();  // else more may have completed than was asked for
  Unlock();
  return landed;
}

void Arrivals::MapRun(std::span<const uint32_t> entries) {
  const Entry first = entries_[entries.front()];
  parts_.mapper.Map(parts_.table.AddressOf(first.page),
                    {first.slot, static_cast<uint32_t>(entries.size())});
  for (const uint32_t entry : entries) {
    const Entry e = entries_[entry];
    Free(entry);
    const PageState arrived = kStateOf[static_cast<size_t>(e.purpose)];
    if (parts_.table.LeftRecently(e.page, parts_.budget.limit())) {
      parts_.metrics.CountRefetch(arrived);
    }
    // Release: the page is mapped.
    parts_.table.state(e.page).store(arrived, std::memory_order_release);
  }
}

void Arrivals::RetryOverdue() {
  const uint64_t now = base::NowNs();
  if (now < next_timeout_check_ns_) return;
  next_timeout_check_ns_ = now + parts_.timeout_ns / 4;
  bool overdue = false;
  for (uint32_t entry = 0; entry < kMaxInFlight; ++entry) {
    Entry& e = entries_[entry];
    if (e.deadline_ns == 0 || now < e.deadline_ns) continue;
    if (!channel_->Cancel(entry)) continue;  // it completed just now: the next poll has it
    overdue = true;
    parts_.metrics.retries.Add();
    if (overdue_checks_ >= 4 * Port::kMaxTimeouts || !PostAgain(entry)) GiveUp(entry);
  }
  if (overdue) ++overdue_checks_;
}

void Arrivals::GiveUp(uint32_t entry) {
  if (EarlyMetrics* early = EarlyOf(entries_[entry].purpose)) early->Dropped();
  Unclaim(entry);
}

// Transition b: the page is far as before.
void Arrivals::Unclaim(uint32_t entry) {
  const Entry e = entries_[entry];
  Free(entry);
  parts_.staging.PutReady({e.slot, 1});
  parts_.table.state(e.page).store(kFar, std::memory_order_release);
  parts_.budget.GiveBack(1);
}

void Arrivals::Free(uint32_t entry) {
  entries_[entry].deadline_ns = 0;
  free_[free_count_++] = entry;
  in_flight_.store(in_flight() - 1, std::memory_order_relaxed);
}

}  // namespace tandem::swap
