#include "workloads/bytes.h"

#include <fmt/format.h>

#include <charconv>

namespace tandem::workloads {

namespace {

constexpr std::string_view kPrefixes = "KMGT";

// The power of two that a suffix stands for; -1 if it is none.
int ShiftOf(std::string_view suffix) {
  if (suffix.empty() || suffix == "B") return 0;
  const size_t prefix = kPrefixes.find(suffix[0]);
  if (prefix == std::string_view::npos) return -1;
  suffix.remove_prefix(1);
  if (!suffix.empty() && suffix != "iB") return -1;
  return 10 * (static_cast<int>(prefix) + 1);
}

}  // namespace

StatusOr<uint64_t> ParseCount(std::string_view text) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) {
    return Status::InvalidArgument(fmt::format("'{}' is not a whole number", text));
  }
  return value;
}

StatusOr<uint64_t> ParseBytes(std::string_view text) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const auto digits = static_cast<size_t>(end - text.data());
  const int shift = error == std::errc() ? ShiftOf(text.substr(digits)) : -1;
  if (shift < 0 || (value << shift) >> shift != value) {
    return Status::InvalidArgument(
        fmt::format("'{}' is not a size; valid are 4096, 512K, 64MiB, 4G and the like", text));
  }
  return value << shift;
}

std::string FormatBytes(uint64_t bytes) {
  if (bytes < 1024) return fmt::format("{} B", bytes);
  auto value = static_cast<double>(bytes);
  size_t prefix = 0;
  for (value /= 1024; value >= 1000 && prefix + 1 < kPrefixes.size(); value /= 1024) ++prefix;
  const int decimals = value < 10 ? 2 : value < 100 ? 1 : 0;
  return fmt::format("{:.{}f} {}iB", value, decimals, kPrefixes[prefix]);
}

}  // namespace tandem::workloads
