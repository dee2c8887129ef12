// EarlyReader: asks one thread's prefetcher, and has read what the throttle lets through.
//
// Owned by the thread's Port, which calls it. It asks the throttle for pages that would really be
// read only: what is local, on its way, fresh, dead or beyond the heap's end costs no allowance.
#pragma once

#include <memory>
#include <utility>

#include "runtime/prefetch/prefetcher.h"
#include "runtime/prefetch/throttle.h"
#include "runtime/swap/observers.h"
#include "runtime/swap/pager.h"

namespace tandem::prefetch {

class EarlyReader final : public swap::AccessObserver {
 public:
  // The pager tells `throttle` what becomes of the pages (PagerOptions::prefetched).
  EarlyReader(std::unique_ptr<Prefetcher> prefetcher, Throttle& throttle, swap::Pager& pager)
      : prefetcher_(std::move(prefetcher)), throttle_(throttle), pager_(pager) {}

  void OnMiss(swap::PageIndex page) override { Ask({static_cast<Page>(page), false}); }
  void OnHit(swap::PageIndex page) override { Ask({static_cast<Page>(page), true}); }

 private:
  void Ask(const Access& access);

  std::unique_ptr<Prefetcher> prefetcher_;
  Throttle& throttle_;
  swap::Pager& pager_;
};

}  // namespace tandem::prefetch
