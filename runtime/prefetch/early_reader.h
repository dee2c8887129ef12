// EarlyReader: asks one thread's prefetcher, and has read what the throttle lets through.
//
// Owned by the thread's Port, which calls it. It asks the throttle for pages that would really be
// read only: what is local, on its way, fresh, dead or beyond the heap's end costs no allowance.
// `Pager` is the pager, or the simulator's.
#pragma once

#include <array>
#include <memory>
#include <utility>

#include "runtime/prefetch/prefetcher.h"
#include "runtime/prefetch/throttle.h"
#include "runtime/swap/observers.h"
#include "runtime/swap/pager.h"

namespace tandem::prefetch {

template <typename Pager>
class BasicEarlyReader final : public swap::AccessObserver {
 public:
  // The pager tells `throttle` what becomes of the pages (PagerOptions::prefetched).
  BasicEarlyReader(std::unique_ptr<Prefetcher> prefetcher, Throttle& throttle, Pager& pager)
      : prefetcher_(std::move(prefetcher)), throttle_(throttle), pager_(pager) {}

  void OnMiss(swap::PageIndex page) override { Ask({static_cast<Page>(page), false}); }
  void OnHit(swap::PageIndex page) override { Ask({static_cast<Page>(page), true}); }

 private:
  void Ask(const Access& access);

  std::unique_ptr<Prefetcher> prefetcher_;
  Throttle& throttle_;
  Pager& pager_;
};

template <typename Pager>
void BasicEarlyReader<Pager>::Ask(const Access& access) {
  std::array<Page, Prefetcher::kMaxPages> named;
  const size_t count = prefetcher_->OnAccess(access, named);
  std::array<swap::PageIndex, Prefetcher::kMaxPages> wanted;
  size_t want = 0;
  for (size_t i = 0; i < count; ++i) {
    // A negative page becomes one beyond all heaps.
    const auto page = static_cast<swap::PageIndex>(named[i]);
    if (pager_.NeedsRead(page)) wanted[want++] = page;
  }
  if (want == 0) return;
  const size_t allowed = throttle_.TryIssue(want);
  if (allowed == 0) return;
  size_t posted = 0;
  pager_.arrivals().Post({wanted.data(), allowed}, swap::Purpose::kPrefetch, &posted);
  if (posted < allowed) throttle_.OnDropped(allowed - posted);
}

using EarlyReader = BasicEarlyReader<swap::Pager>;

}  // namespace tandem::prefetch
