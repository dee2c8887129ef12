// Replacement: which local pages leave next. A strategy; pure decisions over the page table.
//
// Called by one evictor at a time. Moves the pages it chooses from LOCAL to LEAVING (transition
// c of page_state.h), which is the choice.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/swap/page_table.h"
#include "tandem/status.h"

namespace tandem::swap {

struct Victim {
  PageIndex page = 0;
  PageState seen = kLocal;  // its state when it was chosen
};

class Replacement {
 public:
  virtual ~Replacement() = default;

  // Claims up to victims.size() pages and returns how many; 0 if it looked at every page twice
  // and none may leave. Neighbouring pages are neighbours in the result where possible.
  virtual size_t Select(PageTable& table, std::span<Victim> victims) = 0;
};

// Replacement policies by name: replacements.cc has the table. Errors list what is valid.
StatusOr<std::unique_ptr<Replacement>> MakeReplacement(std::string_view name);

struct ReplacementDescription {
  std::string name;
  std::string summary;
};
std::vector<ReplacementDescription> ListReplacements();

}  // namespace tandem::swap
