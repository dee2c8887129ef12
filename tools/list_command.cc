#include "tools/list_command.h"

#include <fmt/format.h>

#include <iterator>
#include <memory>
#include <vector>

#include "tandem/heap.h"
#include "workloads/registry.h"

namespace tandem::tools {

namespace {

void AppendSection(std::string& text, const char* title, const std::vector<Component>& choices) {
  fmt::format_to(std::back_inserter(text), "{}:\n", title);
  for (const Component& choice : choices) {
    fmt::format_to(std::back_inserter(text), "  {:<24} {}\n", choice.name, choice.summary);
  }
}

}  // namespace

std::string DescribeChoices() {
  std::vector<Component> workloads;
  for (const std::unique_ptr<workloads::Workload>& workload : workloads::MakeAllWorkloads()) {
    workloads.push_back({workload->name(), workload->summary()});
  }
  const Components components = ListComponents();
  std::string text;
  AppendSection(text, "workloads", workloads);
  AppendSection(text, "orders", components.orders);
  AppendSection(text, "prefetchers", components.prefetchers);
  AppendSection(text, "replacements", components.replacements);
  AppendSection(text, "fabrics", components.fabrics);
  return text;
}

}  // namespace tandem::tools
