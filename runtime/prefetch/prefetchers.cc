// The registry of prefetchers: a new one is a file and a line in kPrefetchers.
#include "runtime/prefetch/fixed_readahead.h"
#include "runtime/prefetch/leap.h"
#include "runtime/prefetch/prefetcher.h"
#include "runtime/prefetch/readahead.h"
#include "runtime/prefetch/streams.h"
#include "runtime/prefetch/stride.h"

namespace tandem::prefetch {
namespace {

struct Entry {
  const char* name;
  const char* summary;
  std::unique_ptr<Prefetcher> (*make)();
};

template <typename T>
std::unique_ptr<Prefetcher> Make() {
  return std::make_unique<T>();
}

std::unique_ptr<Prefetcher> MakeNone() { return nullptr; }

constexpr Entry kPrefetchers[] = {
    {"none", "pages come in only when somebody needs them", MakeNone},
    {"readahead", "as Linux swaps in: a window of up to 8 pages, smaller without hits",
     Make<Readahead>},
    {"readahead-16", "the aligned block of 16 pages around every miss", Make<FixedReadahead>},
    {"leap", "up to 8 pages along the distance that most recent accesses share", Make<Leap>},
    {"stride", "up to 16 pages ahead once a distance has been seen twice in a row", Make<Stride>},
    {"streams", "up to 16 pages ahead along each of several streams, with holes in them",
     Make<Streams>},
};

}  // namespace

StatusOr<std::unique_ptr<Prefetcher>> MakePrefetcher(std::string_view name) {
  std::string valid;
  for (const Entry& entry : kPrefetchers) {
    if (name == entry.name) return entry.make();
    valid += valid.empty() ? "" : ", ";
    valid += entry.name;
  }
  return Status::InvalidArgument("unknown prefetcher '" + std::string(name) + "': valid are " +
                                 valid);
}

std::vector<PrefetcherDescription> ListPrefetchers() {
  std::vector<PrefetcherDescription> list;
  for (const Entry& entry : kPrefetchers) list.push_back({entry.name, entry.summary});
  return list;
}

}  // namespace tandem::prefetch
