// The registry of orders: a new one is a file, a line in kOrders, and a table of its options if
// it has any.
#include <iomanip>
#include <sstream>

#include "runtime/base/options.h"
#include "runtime/tracer/fifo_order.h"
#include "runtime/tracer/lifo_order.h"
#include "runtime/tracer/lineup_order.h"
#include "runtime/tracer/memliner_order.h"
#include "runtime/tracer/memliner_release_order.h"
#include "runtime/tracer/order.h"

namespace tandem::tracer {
namespace {

// --- Options ---

constexpr base::OptionKey<MemlinerOptions> kMemlinerKeys[] = {
    {"max_depth", &MemlinerOptions::max_depth, 0, 64},
    {"ring", &MemlinerOptions::ring, 1, AccessRing::kCapacity},
    {"deferrals_low", &MemlinerOptions::deferrals_low, 0, 1000},
    {"deferrals_middle", &MemlinerOptions::deferrals_middle, 0, 1000},
    {"deferrals_high", &MemlinerOptions::deferrals_high, 0, 1000},
    {"free_low", &MemlinerOptions::free_low, 0, 1},
    {"free_high", &MemlinerOptions::free_high, 0, 1},
    {"epoch_delta", &MemlinerOptions::epoch_delta, 0, PageStamps::kEpochs - 1},
    {"epoch_change", &MemlinerOptions::epoch_change, 0.001, 1000},
};
constexpr base::OptionKey<MemlinerReleaseOptions> kMemlinerReleaseKeys[] = {
    {"budget", &MemlinerReleaseOptions::budget, 1, 1e9},
};
constexpr base::OptionKey<LineupOptions> kLineupKeys[] = {
    {"max_depth", &LineupOptions::max_depth, 0, 64}, {"window", &LineupOptions::window, 1, 64},
    {"stack", &LineupOptions::stack, 64, 1e9},       {"around", &LineupOptions::around, 0, 64},
    {"objects", &LineupOptions::objects, 0, 1},
};

std::string Plain(double number) {
  std::ostringstream out;
  out << std::setprecision(12) << number;
  return out.str();
}

// `text` is what stands behind an order's name: ",key=value,key=value".
template <typename Options>
Status ParseOptions(std::string_view text, std::span<const base::OptionKey<Options>> keys,
                    Options& options) {
  while (!text.empty()) {
    text.remove_prefix(1);
    const std::string_view item = text.substr(0, text.find(','));
    text.remove_prefix(item.size());
    const size_t equals = std::min(item.find('='), item.size());
    const std::string_view value = item.substr(std::min(equals + 1, item.size()));
    std::string valid;
    bool set = false;
    for (const base::OptionKey<Options>& key : keys) {
      valid += (valid.empty() ? "" : ", ") + std::string(key.name);
      if (item.substr(0, equals) != key.name) continue;
      set = base::SetOption(options, key, value);
      if (!set) {
        return Status::InvalidArgument("order option '" + std::string(item) +
                                       "' makes no sense: " + key.name + " must be from " +
                                       Plain(key.min) + " to " + Plain(key.max));
      }
    }
    if (!set) {
      return Status::InvalidArgument("unknown order option '" + std::string(item) +
                                     "': valid are " + (valid.empty() ? "none" : valid));
    }
  }
  return Status::Ok();
}

// --- Orders ---

struct Place {
  Surroundings& surroundings;
  OrderMetrics& metrics;
};
using Made = StatusOr<std::unique_ptr<Order>>;

template <typename T>
Made MakeUnaligned(std::string_view options, const Place& place) {
  struct None {};
  None none;
  if (Status s = ParseOptions<None>(options, {}, none); !s.ok()) return s;
  return std::unique_ptr<Order>(std::make_unique<T>(place.metrics));
}

Made MakeMemliner(std::string_view text, const Place& place) {
  MemlinerOptions options;
  if (Status s = ParseOptions<MemlinerOptions>(text, kMemlinerKeys, options); !s.ok()) return s;
  return std::unique_ptr<Order>(
      std::make_unique<MemlinerOrder>(options, place.surroundings, place.metrics));
}

Made MakeMemlinerRelease(std::string_view text, const Place& place) {
  MemlinerReleaseOptions options;
  if (Status s = ParseOptions<MemlinerReleaseOptions>(text, kMemlinerReleaseKeys, options);
      !s.ok()) {
    return s;
  }
  return std::unique_ptr<Order>(
      std::make_unique<MemlinerReleaseOrder>(options, place.surroundings, place.metrics));
}

Made MakeLineup(std::string_view text, const Place& place) {
  LineupOptions options;
  if (Status s = ParseOptions<LineupOptions>(text, kLineupKeys, options); !s.ok()) return s;
  auto groups = PageGroups::Create(place.surroundings.base(), place.surroundings.pages());
  if (!groups.ok()) return groups.status();
  return std::unique_ptr<Order>(std::make_unique<LineupOrder>(options, place.surroundings,
                                                              place.metrics, std::move(*groups)));
}

struct Entry {
  const char* name;
  const char* summary;
  Made (*make)(std::string_view options, const Place& place);
};
constexpr Entry kOrders[] = {
    {"lifo", "depth first, a stack: what most collectors do", MakeUnaligned<LifoOrder>},
    {"fifo", "breadth first, a queue", MakeUnaligned<FifoOrder>},
    {"memliner", "what mutators use first, what is far later (MemLiner, OSDI'22)", MakeMemliner},
    {"memliner-release",
     "as its authors' code does it: stored references first, far ones once later",
     MakeMemlinerRelease},
    {"lineup", "in tandem with the mutators, far work grouped by page, never waiting", MakeLineup},
};

}  // namespace

StatusOr<std::unique_ptr<Order>> MakeOrder(std::string_view spec, Surroundings& surroundings,
                                           OrderMetrics& metrics) {
  const size_t comma = std::min(spec.find(','), spec.size());
  const std::string_view name = spec.substr(0, comma);
  std::string valid;
  for (const Entry& entry : kOrders) {
    if (name == entry.name) return entry.make(spec.substr(comma), {surroundings, metrics});
    valid += valid.empty() ? "" : ", ";
    valid += entry.name;
  }
  return Status::InvalidArgument("unknown order '" + std::string(name) + "': valid are " + valid);
}

std::vector<OrderDescription> ListOrders() {
  std::vector<OrderDescription> list;
  for (const Entry& entry : kOrders) list.push_back({entry.name, entry.summary});
  return list;
}

}  // namespace tandem::tracer
