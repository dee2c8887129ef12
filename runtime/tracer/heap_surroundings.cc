#include "runtime/tracer/heap_surroundings.h"

#include <algorithm>
#include <bit>

namespace tandem::tracer {

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

void HeapSurroundings::PassOn(std::span<const uintptr_t> references) {
  constexpr size_t kAtOnce = 256;  // so that several tracers get some
  for (; !references.empty();
       references = references.subspan(std::min(kAtOnce, references.size()))) {
    const auto batch = references.first(std::min(kAtOnce, references.size()));
    grey_.Add({batch.begin(), batch.end()});
  }
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

void HeapSurroundings::Pause(base::Backoff& backoff) {
  space_.pager.evictor().GoOn();  // what is being written is on its way until that is done
  backoff.Pause();
}

bool HeapSurroundings::LookAheadPays() {
  const swap::EarlyMetrics& early = space_.pager.metrics().lookahead;
  return look_ahead_.Pays(early.hits.Value(), early.unused.Value());
}

}  // namespace tandem::tracer
