#include "runtime/prefetch/early_reader.h"

#include <array>

namespace tandem::prefetch {

void EarlyReader::Ask(const Access& access) {
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

}  // namespace tandem::prefetch
