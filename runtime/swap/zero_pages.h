// Pages of zeroes, to be copied from.
#pragma once

#include <cstddef>

#include "runtime/base/os_memory.h"

namespace tandem::swap {

inline constexpr size_t kZeroPages = 16;
alignas(base::kPageSize) inline constexpr std::byte kZeroes[kZeroPages * base::kPageSize]{};

}  // namespace tandem::swap
