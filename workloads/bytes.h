// Sizes as people write them: 4096, 512K, 64MiB, 4G. Suffixes are powers of 1024.
//
// Pure functions, any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "tandem/status.h"

namespace tandem::workloads {

// Accepts digits with an optional K, M, G or T, which may be followed by iB (or is just B).
// The error is one line and says what is valid.
StatusOr<uint64_t> ParseBytes(std::string_view text);

// Accepts decimal digits only.
StatusOr<uint64_t> ParseCount(std::string_view text);

// For people: three significant digits, such as "122 MiB".
std::string FormatBytes(uint64_t bytes);

}  // namespace tandem::workloads
