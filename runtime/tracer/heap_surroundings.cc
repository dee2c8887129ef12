#include "runtime/tracer/heap_surroundings.h"

#include <bit>
#include <ctime>
#include <utility>

namespace tandem::tracer {
namespace {

// Together with the timer's slack (50 us) about as long as a window of reads takes.
constexpr long kRestNs = 20'000;

}  // namespace

size_t HeapSurroundings::TakeAccesses(std::span<uintptr_t> out) {
  if (!follows_) return 0;
  const size_t n = mutators_.TakeAccesses(out);
  size_t kept = 0;
  for (size_t i = 0; i < n; ++i) {
    // What a mutator used may be anything with a barrier before it: the object is looked up.
    const uintptr_t object = space_.FindObject(out[i]);
    if (object != 0) out[kept++] = object + internal::kHeaderBytes;
  }
  return kept;
}

size_t HeapSurroundings::Fetch(std::span<const swap::PageIndex> pages, swap::Purpose purpose) {
  return space_.pager.arrivals().Post(pages, purpose);
}

size_t HeapSurroundings::Unmarked(swap::PageIndex page) {
  constexpr size_t kGranulesPerPage = base::kPageSize / heap::kGranuleBytes;
  const size_t first = page * kGranulesPerPage;
  size_t n = 0;
  for (size_t granule = first; granule < first + kGranulesPerPage; granule += 64) {
    n += static_cast<size_t>(std::popcount(space_.tables.Unmarked(granule)));
  }
  return n;
}

// While mutators page, a waiting tracer sleeps at once. Each of their misses unmaps pages, and has
// the TLBs of those processors flushed on which threads of this process run, spinning ones too;
// and what has come by the end of a sleep is mapped together.
void HeapSurroundings::Pause(base::Backoff& backoff) {
  space_.pager.evictor().GoOn();  // what is being written is on its way until that is done
  const uint64_t misses = space_.pager.metrics().demand_mutator.Value();
  if (misses == std::exchange(misses_, misses)) {
    backoff.Pause();
    return;
  }
  const timespec rest{0, kRestNs};
  nanosleep(&rest, nullptr);
}

bool HeapSurroundings::LookAheadPays() {
  const swap::EarlyMetrics& early = space_.pager.metrics().lookahead;
  return look_ahead_.Pays(early.hits.Value(), early.unused.Value());
}

}  // namespace tandem::tracer
