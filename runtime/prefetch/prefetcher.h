// Prefetcher: which far pages to bring in before anybody asks. Pure decisions.
//
// The registry of names is here already, since options and `tandem list` speak of it; the only
// prefetcher so far is `none`.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tandem/status.h"

namespace tandem::prefetch {

struct PrefetcherDescription {
  std::string name;
  std::string summary;
};
std::vector<PrefetcherDescription> ListPrefetchers();

// OK if there is a prefetcher of that name; the error lists what is valid.
Status CheckPrefetcher(std::string_view name);

}  // namespace tandem::prefetch
