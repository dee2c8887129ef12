#include "runtime/tracer/lineup_order.h"

#include <algorithm>
#include <utility>

namespace tandem::tracer {
namespace {

constexpr Tag kForced = 0x4000;
constexpr Tag kHops = 0x0fff;
constexpr size_t kMaxExplored = 1024;
constexpr size_t kMaxReady = 4096;
constexpr size_t kMaxInHand = 1024;
// How many far pages are named before they are asked for.
constexpr size_t kMaxWanted = 16;
// References popped between two looks at what mutators did, while there is other work.
constexpr size_t kFollowEvery = 64;
// Rounds without any progress, and reads that failed in them, before a page is waited for: some
// tens of milliseconds, as Pause lasts longer and longer.
constexpr uint32_t kForceAfter = 256;

}  // namespace

void LineupOrder::Push(std::span<const uintptr_t> references, Tag parent) {
  const Tag hops = parent & kHops;
  if (hops == 0 || hops > depth_) {
    for (auto it = references.rbegin(); it != references.rend(); ++it) stack_.push_back(*it);
  } else {
    for (auto it = references.rbegin(); it != references.rend(); ++it) {
      const swap::PageIndex page = surroundings_.PageOf(*it);
      if (surroundings_.Where(page) == Whereabouts::kFar) {
        if (wanted_.size() < kMaxWanted) wanted_.push_back(page);
        stack_.push_back(*it);
      } else if (explored_.size() < kMaxExplored) {
        explored_.emplace_back(*it, static_cast<Tag>(hops + 1));
      } else {
        stack_.push_back(*it);
      }
    }
  }
  if (stack_.size() > options_.stack) Spill();
}

// Moves the older half of the stack into the groups.
void LineupOrder::Spill() {
  constexpr size_t kAhead = 16;  // cache misses kept in flight
  const size_t n = stack_.size() / 2;
  for (size_t i = 0; i < n; ++i) {
    // n is half of the stack, and the stack is longer than this.
    surroundings_.WillShade(stack_[i + kAhead]);
    groups_.Prefetch(heap::HeaderOf(stack_[i + kAhead]));
    if (surroundings_.Shade(stack_[i])) groups_.Add(heap::HeaderOf(stack_[i]));
  }
  stack_.erase(stack_.begin(), stack_.begin() + static_cast<ptrdiff_t>(n));
}

size_t LineupOrder::Pop(std::span<Grey> out) {
  const size_t n = popped_ < kFollowEvery && OnlyTheStack() ? PopStack(out) : LookAround(out);
  popped_ += n;
  return n;
}

// The way to what is not on the stack.
size_t LineupOrder::LookAround(std::span<Grey> out) {
  const bool busy = !stack_.empty() || !hand_.empty();
  if (!wanted_.empty()) {
    surroundings_.Fetch(wanted_, swap::Purpose::kLookAhead);
    wanted_.clear();
  }
  if (!busy || popped_ >= kFollowEvery) {
    FollowMutators();
    metrics_.from_queue.Add(std::exchange(from_queue_, 0));
    popped_ = 0;
  }
  return TakeNext(out);
}

size_t LineupOrder::TakeNext(std::span<Grey> out) {
  size_t n = 0;
  for (; n < out.size() && !explored_.empty(); explored_.pop_back()) out[n++] = explored_.back();
  if (n > 0) {
    metrics_.from_ring.Add(n);
    return n;
  }
  if (hand_.empty()) TakeReady();
  if (hand_.empty() && stack_.empty()) Drain();
  if (!hand_.empty()) {
    for (; n < out.size() && !hand_.empty(); hand_.pop_back()) out[n++] = hand_.back();
    return n;
  }
  return PopStack(out);
}

size_t LineupOrder::PopStack(std::span<Grey> out) {
  const size_t n = std::min(out.size(), stack_.size());
  for (size_t i = 0; i < n; ++i) out[i] = Grey(stack_[stack_.size() - 1 - i]);
  stack_.resize(stack_.size() - n);
  from_queue_ += n;
  return n;
}

bool LineupOrder::Defer(Grey grey) {
  if ((grey.tag() & kForced) != 0) return false;
  groups_.Add(heap::HeaderOf(grey.reference()));
  metrics_.deferrals.Add();
  return true;
}

size_t LineupOrder::Give(std::span<uintptr_t> out) {
  const size_t n = std::min(out.size(), stack_.size());
  std::copy_n(stack_.begin(), n, out.begin());
  stack_.erase(stack_.begin(), stack_.begin() + static_cast<ptrdiff_t>(n));
  return n;
}

void LineupOrder::FollowMutators() {
  if (NothingIsFar()) return;
  std::array<uintptr_t, 64> used;
  const size_t n = surroundings_.TakeAccesses(used);
  for (size_t i = 0; i < n; ++i) {
    const swap::PageIndex page = surroundings_.PageOf(used[i]);
    if (groups_.Has(page) && ready_.size() < kMaxReady) ready_.push_back(page);
    if (depth_ > 0 && explored_.size() < kMaxExplored && !surroundings_.IsMarked(used[i])) {
      explored_.emplace_back(used[i], Tag{1});
    }
  }
  // Looking further ahead than is useful costs frames: one hop is kept to see when it pays again.
  depth_ = surroundings_.LookAheadPays() ? options_.max_depth
                                         : std::min<uint64_t>(options_.max_depth, 1);
}

void LineupOrder::TakeReady() {
  while (!ready_.empty() && hand_.empty()) {
    const swap::PageIndex page = ready_.back();
    ready_.pop_back();
    if (!groups_.Has(page)) continue;
    switch (surroundings_.Where(page)) {
      case Whereabouts::kLocal:
        TakeGroup(page, 0, metrics_.from_group);
        break;
      case Whereabouts::kOnItsWay:
        if (in_flight_.size() < kMaxReady) in_flight_.push_back(page);
        break;
      case Whereabouts::kFar:
        break;  // it stays in its group
    }
  }
}

// Nothing local is left: reads what is far, many pages at once.
void LineupOrder::Drain() {
  surroundings_.Land();
  const auto keep = [&](swap::PageIndex page) {
    if (!groups_.Has(page)) return false;
    switch (surroundings_.Where(page)) {
      case Whereabouts::kLocal:
        TakeGroup(page, 0, metrics_.from_drain);
        return false;
      case Whereabouts::kOnItsWay:
        return true;
      case Whereabouts::kFar:
        break;  // it failed to come, or has left again already
    }
    ++setbacks_;
    return false;
  };
  std::erase_if(in_flight_, [&](swap::PageIndex page) { return !keep(page); });
  PostReads();
  if (!hand_.empty()) {
    setbacks_ = 0;
    pause_ = {};
    return;
  }
  ++setbacks_;
  if (setbacks_ > kForceAfter && groups_.occupied_pages() > 0) {
    setbacks_ = 0;
    TakeGroup(groups_.Next(cursor_), kForced, metrics_.forced);
    return;
  }
  if (size() > 0) surroundings_.Pause(pause_);
}

void LineupOrder::PostReads() {
  std::array<swap::PageIndex, 64> batch;
  size_t n = 0;
  const size_t room = std::min<size_t>(
      batch.size(), options_.window > in_flight_.size() ? options_.window - in_flight_.size() : 0);
  // Each occupied page is looked at once at most.
  for (size_t looked = groups_.occupied_pages(); looked > 0 && n < room; --looked) {
    const swap::PageIndex page = groups_.Next(cursor_);
    if (page >= groups_.pages()) break;
    cursor_ = page + 1;
    switch (surroundings_.Where(page)) {
      case Whereabouts::kLocal:
        TakeGroup(page, 0, metrics_.from_group);
        if (hand_.size() > kMaxInHand) looked = 1;
        break;
      case Whereabouts::kOnItsWay:
        if (std::find(in_flight_.begin(), in_flight_.end(), page) == in_flight_.end()) {
          in_flight_.push_back(page);
        }
        break;
      case Whereabouts::kFar:
        batch[n++] = page;
        break;
    }
  }
  if (n == 0) return;
  const size_t posted = surroundings_.Fetch({batch.data(), n}, swap::Purpose::kTrace);
  in_flight_.insert(in_flight_.end(), batch.begin(),
                    batch.begin() + static_cast<ptrdiff_t>(posted));
  if (posted < n) {
    cursor_ = batch[posted];
    return;
  }
  around_.Judge();
  for (size_t i = 0; i < n; ++i) {
    const size_t taken = in_flight_.size() + around_.pending();
    if (taken < options_.window) around_.Read(batch[i], options_.window - taken);
  }
}

void LineupOrder::TakeGroup(swap::PageIndex page, Tag tag, base::Counter& source) {
  const size_t before = hand_.size();
  groups_.Take(page, [&](uintptr_t object) {
    hand_.emplace_back(object + internal::kHeaderBytes, static_cast<Tag>(Grey::kMarked | tag));
  });
  source.Add(hand_.size() - before);
}

}  // namespace tandem::tracer
