#include "sim/virtual_pager.h"

#include <algorithm>
#include <array>

#include "runtime/swap/evictor.h"
#include "runtime/swap/staging.h"

namespace tandem::sim {
namespace {

using swap::Cause;
using swap::kFar;
using swap::kFetching;
using swap::kFresh;
using swap::kLocal;
using swap::kPrefetched;
using swap::kUntouched;
using swap::kWriting;
using swap::PageState;
using swap::Purpose;
using swap::Residency;

constexpr size_t kBatch = swap::Evictor::kBatchHere;
constexpr size_t kMaxWrites = swap::Staging::kSlots / 4;
constexpr size_t kRangeWindow = 64;
constexpr uint64_t kGoodCopy = 2;  // a hash: neither of the two that mean something else

}  // namespace

VirtualPager::VirtualPager(const VirtualPagerOptions& options, base::Registry& registry)
    : options_(options),
      metrics_(registry, options.prefetched),
      budget_(options.local_pages),
      link_(options.link),
      low_(swap::Evictor::LowWatermark(budget_)),
      max_posted_(std::min({swap::Arrivals::kMaxInFlight, options.depth,
                            std::max<size_t>(options.local_pages / 4, 1)})) {}

StatusOr<std::unique_ptr<VirtualPager>> VirtualPager::Create(const VirtualPagerOptions& options,
                                                             base::Registry& registry) {
  if (options.local_pages < swap::Pager::kMinLocalPages) {
    return Status::InvalidArgument(
        "local memory of " + std::to_string(options.local_pages * base::kPageSize) +
        " bytes is too little: at least " +
        std::to_string(swap::Pager::kMinLocalPages * base::kPageSize) + " bytes are needed");
  }
  std::unique_ptr<VirtualPager> pager(new VirtualPager(options, registry));
  const size_t pages = options.heap_bytes / base::kPageSize;
  auto range =
      base::OsMemory::Reserve(base::RoundUp(options.heap_bytes, swap::PageTable::kAlignment),
                              swap::PageTable::kAlignment, "the simulated heap", PROT_NONE);
  if (!range.ok()) return range.status();
  pager->range_ = std::move(*range);
  auto dirty = base::OsMemory::Reserve(pages, 0, "dirty pages");
  if (!dirty.ok()) return dirty.status();
  pager->dirty_ = std::move(*dirty);
  auto table = swap::PageTable::Create(pager->range_.address(), pages);
  if (!table.ok()) return table.status();
  pager->table_ = std::move(*table);
  auto replacement = swap::MakeReplacement(options.replacement);
  if (!replacement.ok()) return replacement.status();
  pager->replacement_ = std::move(*replacement);
  return pager;
}

void VirtualPager::AdvanceTo(uint64_t now_ns) {
  now_ns_ = std::max(now_ns_, now_ns);
  LandAll();
  PollWrites();
}

// --- Pages that are needed ---

uint64_t VirtualPager::MakeLocal(PageIndex page, Cause cause, swap::AccessObserver* observer,
                                 Wait& wait) {
  if (page >= table_->used()) table_->Extend(page + 1);
  while (true) {
    const PageState seen = State(page);
    switch (Residency(seen)) {
      case kLocal:
        if (cause == Cause::kMutator) Touch(page, wait.on_its_way, observer);
        return 0;
      case kFetching: {
        wait.on_its_way = wait.on_its_way || !wait.missed;
        return std::max(now_ns_ + 1, NextArrival());
      }
      default:
        break;
    }
    if (!TakeFrame()) return std::max(now_ns_ + 1, std::min(NextArrival(), now_ns_ + 1'000'000));
    if (seen == (kFar | kFresh)) {
      SetState(page, kLocal);
      footprint_.Add(1);
      metrics_.populated.Add();
    } else if (Residency(seen) == kWriting) {
      SetState(page, kLocal);
      metrics_.rescues.Add();
    } else {
      SetState(page, kFetching);
      wait.missed = true;
      Send({.page = page,
            .passage = {},
            .since_ns = now_ns_,
            .demand = true,
            .cause = cause,
            .purpose = Purpose::kRange},
           rdma::Lane::kDemand);
      if (cause == Cause::kMutator && observer != nullptr) observer->OnMiss(page);
    }
    Evict();
  }
}

void VirtualPager::Touch(PageIndex page, bool waited, swap::AccessObserver* observer) {
  const PageState seen = State(page);
  if (seen == touched_) return;
  SetState(page, touched_);
  if ((seen & kUntouched) != 0) metrics_.touches.Add();
  if ((seen & kPrefetched) == 0) return;
  swap::EarlyMetrics& early = metrics_.EarlyFor(seen);
  early.Used(waited);
  if (&early == &metrics_.prefetch && observer != nullptr) observer->OnHit(page);
}

void VirtualPager::Dirty(PageIndex page) { *DirtyByte(page) = true; }

void VirtualPager::Revive(PageIndex page) {
  if (table_->hash(page) == swap::kDeadContent) table_->hash(page) = swap::kNoFarCopy;
}

// --- Pages that nobody waits for ---

size_t VirtualPager::Post(std::span<const PageIndex> pages, Purpose purpose, size_t* posted) {
  const size_t reserve = low_ / 2;
  size_t done = 0;
  size_t started = 0;
  for (const PageIndex page : pages) {
    if (NeedsRead(page)) {
      if (posted_ >= max_posted_) break;
      if (purpose != Purpose::kRange && budget_.free() <= reserve) break;
      if (budget_.TryTake(1) == 0) break;
      SetState(page, kFetching);
      ++posted_;
      ++started;
      Send({.page = page,
            .passage = {},
            .since_ns = now_ns_,
            .demand = false,
            .cause = Cause::kMutator,
            .purpose = purpose},
           swap::kLaneOf[static_cast<size_t>(purpose)]);
    }
    ++done;
  }
  switch (purpose) {
    case Purpose::kRange:
      metrics_.demand_mutator.Add(started);
      break;
    case Purpose::kPrefetch:
      metrics_.prefetch.issued.Add(started);
      break;
    case Purpose::kHint:
      metrics_.hint.issued.Add(started);
      break;
    case Purpose::kLookAhead:
      metrics_.lookahead.issued.Add(started);
      break;
    case Purpose::kTrace:
      metrics_.trace.Add(started);
      break;
  }
  if (started > 0) Evict();
  if (posted != nullptr) *posted += started;
  return done;
}

void VirtualPager::FetchRangeEarly(PageIndex first, size_t count) {
  const PageIndex end = std::min<PageIndex>(first + count, table_->used());
  for (PageIndex page = first; page < end;) {
    std::array<PageIndex, kRangeWindow> far;
    size_t n = 0;
    for (; page < end && n < far.size(); ++page) {
      if (NeedsRead(page)) far[n++] = page;
    }
    if (n > 0 && Post({far.data(), n}, Purpose::kHint) < n) return;
  }
}

void VirtualPager::Send(Flight flight, rdma::Lane lane) {
  flight.passage = link_.Send(rdma::Direction::kRead, lane, base::kPageSize, now_ns_);
  moved_[static_cast<size_t>(lane)] += base::kPageSize;
  reads_[static_cast<size_t>(lane)].push_back(flight);
}

uint64_t VirtualPager::NextArrival() const {
  uint64_t next = UINT64_MAX;
  for (const auto& lane : reads_) {
    if (!lane.empty()) next = std::min(next, lane.front().passage.due_ns());
  }
  if (!writes_.empty()) next = std::min(next, writes_.front().passage.due_ns());
  return next;
}

void VirtualPager::LandAll() {
  for (size_t lane = 0; lane < rdma::kLaneCount; ++lane) {
    // A lane's reads arrive in their order.
    while (!reads_[lane].empty() &&
           link_.Arrived(rdma::Direction::kRead, static_cast<rdma::Lane>(lane),
                         reads_[lane].front().passage, now_ns_)) {
      Land(reads_[lane].front());
      reads_[lane].pop_front();
    }
  }
}

void VirtualPager::Land(const Flight& flight) {
  const bool mutator = flight.cause == Cause::kMutator;
  const PageState arrived = !flight.demand ? swap::kStateOf[static_cast<size_t>(flight.purpose)]
                            : mutator      ? touched_
                                           : PageState{kLocal | kUntouched | swap::kCold};
  SetState(flight.page, arrived);
  if (table_->LeftRecently(flight.page, budget_.limit())) metrics_.CountRefetch(arrived);
  ++landed_;
  if (!flight.demand) {
    --posted_;
    return;
  }
  (mutator ? metrics_.demand_mutator : metrics_.demand_collector).Add();
  metrics_.latency.Record(now_ns_ - flight.since_ns);
}

// --- Pages that leave ---

bool VirtualPager::TakeFrame() {
  if (budget_.TryTake(1) == 1) return true;
  Evict();
  return budget_.TryTake(1) == 1;
}

// As Evictor::Relieve.
void VirtualPager::Evict() {
  if (budget_.free() < low_) EvictBatch(std::min(kBatch, 2 * low_));
}

size_t VirtualPager::EvictBatch(size_t most) {
  if (writes_.size() + most > kMaxWrites) return 0;
  std::array<swap::Victim, kBatch> victims;
  const size_t chosen = replacement_->Select(*table_, std::span(victims).first(most));
  size_t left = 0;
  for (size_t i = 0; i < chosen; ++i) {
    const swap::Victim& victim = victims[i];
    if (table_->slot(victim.page) != 0) {  // an older write of it is in flight
      SetState(victim.page, static_cast<PageState>(victim.seen & ~kUntouched));
      metrics_.put_back.Add();
      continue;
    }
    if ((victim.seen & kPrefetched) != 0) metrics_.EarlyFor(victim.seen).Wasted();
    budget_.GiveBack(1);
    table_->NoteDeparture(victim.page);
    Leave(victim.page);
    ++left;
  }
  metrics_.evicted.Add(left);
  return left;
}

void VirtualPager::Leave(PageIndex page) {
  auto& hash = table_->hash(page);
  if (hash == swap::kDeadContent) {
    metrics_.dead.Add();
    footprint_.Subtract(1);
    hash = swap::kNoFarCopy;
    *DirtyByte(page) = false;
    SetState(page, kFar | kFresh);
    return;
  }
  if (hash == kGoodCopy && !*DirtyByte(page)) {
    metrics_.clean.Add();
    SetState(page, kFar);
    return;
  }
  metrics_.write_backs.Add();
  hash = kGoodCopy;
  *DirtyByte(page) = false;
  table_->slot(page) = 1;
  SetState(page, kWriting);
  const rdma::Passage passage =
      link_.Send(rdma::Direction::kWrite, rdma::Lane::kWriteBack, base::kPageSize, now_ns_);
  moved_[static_cast<size_t>(rdma::Lane::kWriteBack)] += base::kPageSize;
  writes_.push_back({page, passage});
}

void VirtualPager::PollWrites() {
  while (!writes_.empty() && link_.Arrived(rdma::Direction::kWrite, rdma::Lane::kWriteBack,
                                           writes_.front().passage, now_ns_)) {
    const PageIndex page = writes_.front().page;
    writes_.pop_front();
    table_->slot(page) = 0;
    if (State(page) == kWriting) SetState(page, kFar);  // else it was taken back
  }
}

// --- The collector ---

void VirtualPager::ArmAllPages() {
  for (PageIndex page = 0; page < table_->used(); ++page) {
    if (State(page) == kLocal) SetState(page, kLocal | swap::kArmed);
  }
}

void VirtualPager::MarkDead(PageIndex page) {
  const PageState seen = State(page);
  if (Residency(seen) == kLocal) {
    if ((seen & kPrefetched) != 0) metrics_.EarlyFor(seen).Wasted();
    table_->hash(page) = swap::kDeadContent;
    SetState(page, kLocal | kUntouched);
  } else if (seen == kFar) {
    footprint_.Subtract(1);
    table_->hash(page) = swap::kNoFarCopy;
    *DirtyByte(page) = false;
    SetState(page, kFar | kFresh);
  }
}

}  // namespace tandem::sim
