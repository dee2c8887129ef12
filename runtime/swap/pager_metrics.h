// PagerMetrics: everything the pager counts, by name (docs/metrics.md).
#pragma once

#include <string>

#include "runtime/base/metrics.h"
#include "runtime/swap/observers.h"
#include "runtime/swap/page_state.h"

namespace tandem::swap {

// What became of pages that were brought in early, for one of those who ask for them. All that were
// issued are on their way, local and untouched, or counted as one of hits, unused and dropped.
struct EarlyMetrics {
  EarlyMetrics(base::Registry& r, const std::string& name, EarlyObserver* o = nullptr)
      : issued(r.GetCounter("fetch." + name)),
        hits(r.GetCounter(name + ".hits")),
        late(r.GetCounter(name + ".late")),
        unused(r.GetCounter(name + ".unused")),
        dropped(r.GetCounter(name + ".dropped")),
        refetches(r.GetCounter(name + ".refetches")),
        observer(o) {}

  void Used(bool waited) {
    hits.Add();
    if (waited) late.Add();
    if (observer != nullptr) observer->OnUsed(1);
  }
  void Wasted() {
    unused.Add();
    if (observer != nullptr) observer->OnWasted(1);
  }
  void Dropped() {
    dropped.Add();
    if (observer != nullptr) observer->OnDropped(1);
  }

  base::Counter& issued;
  base::Counter& hits;            // a mutator touched the page before it left
  base::Counter& late;            // ... of these, those that had not arrived yet
  base::Counter& unused;          // it left or died untouched
  base::Counter& dropped;         // it was given up on its way, lost or damaged
  base::Counter& refetches;       // it had left only lately
  EarlyObserver* const observer;  // null: nobody wants to know
};

struct PagerMetrics {
  explicit PagerMetrics(base::Registry& r, EarlyObserver* prefetched = nullptr)
      : demand_mutator(r.GetCounter("fetch.demand.mutator")),
        demand_collector(r.GetCounter("fetch.demand.collector")),
        trace(r.GetCounter("fetch.trace")),
        prefetch(r, "prefetch", prefetched),
        hint(r, "hint"),
        lookahead(r, "lookahead"),
        post_conflicts(r.GetCounter("fetch.post_conflicts")),
        refetches(r.GetCounter("fetch.refetches")),
        refetches_mutator(r.GetCounter("fetch.refetches.mutator")),
        refetches_collector(r.GetCounter("fetch.refetches.collector")),
        traps(r.GetCounter("fetch.traps")),
        rescues(r.GetCounter("fetch.rescues")),
        populated(r.GetCounter("fetch.fresh")),
        moved(r.GetCounter("fetch.moved")),
        copied(r.GetCounter("fetch.copied")),
        retries(r.GetCounter("fetch.retries")),
        damaged(r.GetCounter("fetch.damaged")),
        touches(r.GetCounter("access.first_touches")),
        latency(r.GetHistogram("fetch.latency")),
        collector_latency(r.GetHistogram("fetch.collector_latency")),
        evicted(r.GetCounter("evict.pages")),
        write_backs(r.GetCounter("evict.writeback")),
        clean(r.GetCounter("evict.clean")),
        dead(r.GetCounter("evict.dead")),
        zero(r.GetCounter("evict.zero")),
        by_mutator(r.GetCounter("evict.batches_by_mutator")),
        in_wait(r.GetCounter("evict.batches_in_wait")),
        held_up(r.GetCounter("evict.held_up")),
        put_back(r.GetCounter("evict.put_back")),
        write_retries(r.GetCounter("evict.retries")),
        frame_waits(r.GetHistogram("evict.frame_wait")) {}

  base::Counter& demand_mutator;
  base::Counter& demand_collector;
  base::Counter& trace;
  EarlyMetrics prefetch;
  EarlyMetrics hint;
  EarlyMetrics lookahead;
  base::Counter& post_conflicts;
  base::Counter& refetches;
  base::Counter& refetches_mutator;
  base::Counter& refetches_collector;
  base::Counter& traps;
  base::Counter& rescues;
  base::Counter& populated;
  base::Counter& moved;
  base::Counter& copied;
  base::Counter& retries;
  base::Counter& damaged;
  base::Counter& touches;
  base::Histogram& latency;  // mutators'
  base::Histogram& collector_latency;
  base::Counter& evicted;
  base::Counter& write_backs;
  base::Counter& clean;
  base::Counter& dead;
  base::Counter& zero;
  base::Counter& by_mutator;
  base::Counter& in_wait;
  base::Counter& held_up;
  base::Counter& put_back;
  base::Counter& write_retries;
  base::Histogram& frame_waits;

  // A page that had left only lately is here again, with this state.
  void CountRefetch(PageState arrived) {
    refetches.Add();
    if ((arrived & kPrefetched) != 0) {
      EarlyFor(arrived).refetches.Add();
    } else {
      ((arrived & kCold) != 0 ? refetches_collector : refetches_mutator).Add();
    }
  }
  // For whom a page was brought in early; `seen` has kPrefetched.
  EarlyMetrics& EarlyFor(PageState seen) {
    if ((seen & kHinted) != 0) return hint;
    return (seen & kCold) != 0 ? lookahead : prefetch;
  }
};

}  // namespace tandem::swap
