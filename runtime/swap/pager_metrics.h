// PagerMetrics: everything the pager counts, by name (docs/metrics.md).
#pragma once

#include "runtime/base/metrics.h"

namespace tandem::swap {

struct PagerMetrics {
  explicit PagerMetrics(base::Registry& r)
      : demand_mutator(r.GetCounter("fetch.demand.mutator")),
        demand_collector(r.GetCounter("fetch.demand.collector")),
        prefetch(r.GetCounter("fetch.prefetch")),
        traps(r.GetCounter("fetch.traps")),
        rescues(r.GetCounter("fetch.rescues")),
        populated(r.GetCounter("fetch.fresh")),
        retries(r.GetCounter("fetch.retries")),
        damaged(r.GetCounter("fetch.damaged")),
        touches(r.GetCounter("access.first_touches")),
        latency(r.GetHistogram("fetch.latency")),
        evicted(r.GetCounter("evict.pages")),
        write_backs(r.GetCounter("evict.writeback")),
        clean(r.GetCounter("evict.clean")),
        dead(r.GetCounter("evict.dead")),
        zero(r.GetCounter("evict.zero")),
        by_mutator(r.GetCounter("evict.batches_by_mutator")),
        put_back(r.GetCounter("evict.put_back")),
        write_retries(r.GetCounter("evict.retries")),
        frame_waits(r.GetHistogram("evict.frame_wait")) {}

  base::Counter& demand_mutator;
  base::Counter& demand_collector;
  base::Counter& prefetch;
  base::Counter& traps;
  base::Counter& rescues;
  base::Counter& populated;
  base::Counter& retries;
  base::Counter& damaged;
  base::Counter& touches;
  base::Histogram& latency;
  base::Counter& evicted;
  base::Counter& write_backs;
  base::Counter& clean;
  base::Counter& dead;
  base::Counter& zero;
  base::Counter& by_mutator;
  base::Counter& put_back;
  base::Counter& write_retries;
  base::Histogram& frame_waits;
};

}  // namespace tandem::swap
