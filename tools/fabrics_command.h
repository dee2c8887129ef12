// `tandem fabrics`. Main thread.
#pragma once

#include <string>

namespace tandem::tools {

// What this machine offers, a line each, and for the rest why not.
std::string DescribeFabrics();

}  // namespace tandem::tools
