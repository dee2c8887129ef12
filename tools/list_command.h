// `tandem list`. Main thread.
#pragma once

#include <string>

namespace tandem::tools {

// What there is to choose from, a line each.
std::string DescribeChoices();

}  // namespace tandem::tools
