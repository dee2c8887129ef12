// The registry of replacement policies: a new one is a file and a line in kReplacements.
#include "runtime/swap/clock_replacement.h"
#include "runtime/swap/replacement.h"

namespace tandem::swap {
namespace {

struct Entry {
  const char* name;
  const char* summary;
  std::unique_ptr<Replacement> (*make)();
};

template <typename T>
std::unique_ptr<Replacement> Make() {
  return std::make_unique<T>();
}

constexpr Entry kReplacements[] = {
    {"clock", "second chance: pages that were not touched since the hand came by last",
     Make<ClockReplacement>},
};

}  // namespace

StatusOr<std::unique_ptr<Replacement>> MakeReplacement(std::string_view name) {
  std::string valid;
  for (const Entry& entry : kReplacements) {
    if (name == entry.name) return entry.make();
    valid += valid.empty() ? "" : ", ";
    valid += entry.name;
  }
  return Status::InvalidArgument("unknown replacement policy '" + std::string(name) +
                                 "': valid are " + valid);
}

std::vector<ReplacementDescription> ListReplacements() {
  std::vector<ReplacementDescription> list;
  for (const Entry& entry : kReplacements) list.push_back({entry.name, entry.summary});
  return list;
}

}  // namespace tandem::swap
