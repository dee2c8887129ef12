#include "runtime/prefetch/prefetcher.h"

namespace tandem::prefetch {

std::vector<PrefetcherDescription> ListPrefetchers() {
  return {{"none", "pages come in only when somebody needs them"}};
}

Status CheckPrefetcher(std::string_view name) {
  std::string valid;
  for (const auto& p : ListPrefetchers()) {
    if (p.name == name) return Status::Ok();
    valid += (valid.empty() ? "" : ", ") + p.name;
  }
  return Status::InvalidArgument("unknown prefetcher '" + std::string(name) + "': valid are " +
                                 valid);
}

}  // namespace tandem::prefetch
