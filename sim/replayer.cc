#include "sim/replayer.h"

#include <algorithm>
#include <array>
#include <numeric>
#include <utility>

#include "runtime/prefetch/prefetcher.h"

namespace tandem::sim {
namespace {

using record::Kind;

// As the allocator and the pager have it.
constexpr size_t kEagerPages = 256;
constexpr size_t kRangeWindow = 64;

}  // namespace

Replayer::Replayer(record::EventSource& source, const Costs& costs, std::string prefetcher,
                   prefetch::Throttle& throttle, ObjectGraph& graph, VirtualPager& pager,
                   VirtualCollector& collector)
    : source_(source),
      costs_(costs),
      prefetcher_(std::move(prefetcher)),
      throttle_(throttle),
      graph_(graph),
      pager_(pager),
      collector_(collector) {
  TurnTo(0);
}

void Replayer::TurnTo(uint64_t thread) {
  thread_ = thread;
  while (observers_.size() <= thread) {
    auto prefetcher = std::move(prefetch::MakePrefetcher(prefetcher_).value());
    using Reader = prefetch::BasicEarlyReader<VirtualPager>;
    observers_.push_back(prefetcher == nullptr
                             ? nullptr
                             : std::make_unique<Reader>(std::move(prefetcher), throttle_, pager_));
  }
}

Status Replayer::Step() {
  if (!begun_) {
    StatusOr<bool> more = source_.Next(event_);
    if (!more.ok()) return more.status();
    done_ = !*more;
    if (done_) return Status::Ok();
    ++events_;
  }
  begun_ = !Perform();
  return Status::Ok();
}

void Replayer::CycleEnded(uint64_t now_ns) {
  if (!std::exchange(waits_for_cycle_, false)) return;
  now_ns = std::max(now_ns, clock_ns_);
  if (is_stall_) collector_.NoteStall(now_ns - clock_ns_);
  clock_ns_ = now_ns;
}

// True if it has to.
bool Replayer::WaitForCycle(bool is_stall) {
  waits_for_cycle_ = collector_.running();
  is_stall_ = is_stall;
  return waits_for_cycle_;
}

// True if the page is local, and touched; else the clock has been put on.
bool Replayer::Need(PageIndex page) {
  const uint64_t again =
      pager_.MakeLocal(page, swap::Cause::kMutator, observers_[thread_].get(), wait_);
  if (again != 0) {
    clock_ns_ = again;
    return false;
  }
  if (wait_.missed) clock_ns_ += costs_.fetch_ns;
  wait_ = {};
  return true;
}

// True if the event is done.
bool Replayer::Perform() {
  switch (event_.kind) {
    case Kind::kAccess:
      return Access();
    case Kind::kRepeat:
      clock_ns_ += event_.count * costs_.access_ns;
      return true;
    case Kind::kBirth:
      return Birth();
    case Kind::kStore:
      return Store();
    case Kind::kRange:
      return Range();
    case Kind::kHint:
      pager_.FetchRangeEarly(event_.index, event_.count);
      return true;
    case Kind::kThread:
      TurnTo(event_.index);
      return true;
    case Kind::kCycle:
      if (WaitForCycle(true)) return false;
      collector_.Begin(event_.roots, clock_ns_);
      return true;
    case Kind::kRoots:
      collector_.AddRoots(event_.roots);
      return true;
    case Kind::kWait:
      return !WaitForCycle(false);
  }
  return true;
}

bool Replayer::Access() {
  const PageIndex page = event_.object / kPageGranules + event_.index;
  if (!begun_) {
    // Also where nothing was ever born: the page is made usable then.
    slow_ = page >= pager_.table().used() ||
            pager_.table().state(page).load(std::memory_order_relaxed) != swap::kLocal;
  }
  if (slow_) {
    if (!Need(page)) return false;
    collector_.NoteAccess(event_.object);
  }
  clock_ns_ += costs_.access_ns;
  return true;
}

bool Replayer::Birth() {
  const PageIndex first = event_.object / kPageGranules;
  const PageIndex last = (event_.object + event_.count - 1) / kPageGranules;
  if (!begun_) {
    next_ = first;
    if (collector_.running() && graph_.IsOccupied(event_.object, event_.count) &&
        WaitForCycle(true)) {
      return false;
    }
  }
  // Allocators touch a page when they begin with it.
  const PageIndex end = last - first < kEagerPages ? last + 1 : first + 1;
  for (; next_ < end; ++next_) {
    if (next_ == last_birth_ && pager_.IsLocal(next_)) continue;
    if (!Need(next_)) return false;
  }
  for (PageIndex page = first; page < end; ++page) {
    pager_.Revive(page);
    pager_.Dirty(page);
  }
  last_birth_ = end - 1;
  graph_.Add(event_.object, event_.count, event_.leaf, collector_.birth_mark());
  clock_ns_ += costs_.alloc_ns;
  return true;
}

bool Replayer::Store() {
  const PageIndex page = (2 * event_.object + 1 + event_.index) / (2 * kPageGranules);
  // The application got at the object through a barrier; the page may have left since.
  const bool here = page < pager_.table().used() && pager_.IsLocal(page);
  if (!here && !Need(page)) return false;
  if (const ObjectId id = graph_.FindStart(event_.object); id != kNoObject) {
    const Granule old = graph_.Store(graph_.at(id), event_.index, event_.target);
    collector_.NoteStore(event_.object, old, event_.target);
  }
  pager_.Revive(page);
  pager_.Dirty(page);
  clock_ns_ += costs_.access_ns;
  return true;
}

// Pager::MakeRangeLocal.
bool Replayer::Range() {
  const PageIndex end = event_.index + event_.count;
  if (!begun_) next_ = ahead_ = event_.index;
  for (; next_ < end; ++next_) {
    const bool fresh = next_ >= pager_.table().used() || pager_.IsFresh(next_);
    if (!fresh && ahead_ < end && ahead_ < next_ + kRangeWindow / 2) {
      ahead_ = std::max(ahead_, next_);
      std::array<PageIndex, kRangeWindow> pages;
      const size_t n = std::min<size_t>(end - ahead_, next_ + kRangeWindow - ahead_);
      std::iota(pages.begin(), pages.begin() + static_cast<ptrdiff_t>(n), ahead_);
      ahead_ += pager_.Post({pages.data(), n}, swap::Purpose::kRange);
    }
    if (!Need(next_)) return false;
  }
  return true;
}

}  // namespace tandem::sim
