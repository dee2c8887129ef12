#include "runtime/tracer/heap_surroundings.h"

#include <algorithm>

namespace tandem::tracer {
namespace {

// Look-ahead is judged by about this many of the pages that it brought in.
constexpr uint64_t kWindow = 256;
constexpr uint64_t kWarmUp = 32;

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

bool HeapSurroundings::LookAheadPays() {
  const swap::EarlyMetrics& early = space_.pager.metrics().lookahead;
  const uint64_t used = early.hits.Value();
  const uint64_t unused = early.unused.Value();
  used_ += used - std::exchange(used_seen_, used);
  unused_ += unused - std::exchange(unused_seen_, unused);
  if (used_ + unused_ > kWindow) {
    used_ /= 2;
    unused_ /= 2;
  }
  return used_ + unused_ < kWarmUp || 2 * used_ >= unused_;
}

}  // namespace tandem::tracer
