// Options: numbers that are set by name in a text, such as `emulated:rdma40,loss=0.01`.
//
// Who has options keeps a table of keys, each with the field it sets and the range that makes
// sense; what is said about a wrong one is the owner's. Pure.
#pragma once

#include <charconv>
#include <cstdint>
#include <string_view>
#include <system_error>
#include <variant>

namespace tandem::base {

template <typename Options>
struct OptionKey {
  const char* name;
  std::variant<uint64_t Options::*, double Options::*> field;
  double min;
  double max;
};

// The number that all of `text` is, if it lies in the range; else false, and `number` stays.
template <typename T>
bool ParseNumber(std::string_view text, double min, double max, T& number) {
  T parsed{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), parsed);
  if (error != std::errc() || end != text.data() + text.size()) return false;
  // Not the negation of what is outside: NaN is neither.
  if (!(static_cast<double>(parsed) >= min && static_cast<double>(parsed) <= max)) return false;
  number = parsed;
  return true;
}

// Sets the key's field; false, and nothing is set, if the value makes no sense.
template <typename Options>
bool SetOption(Options& options, const OptionKey<Options>& key, std::string_view value) {
  return std::visit(
      [&](auto field) { return ParseNumber(value, key.min, key.max, options.*field); }, key.field);
}

}  // namespace tandem::base
