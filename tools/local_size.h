// LocalSize: how much of the heap may be local, as a share of the footprint or in bytes.
//
// A value; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "tandem/status.h"

namespace tandem::tools {

class LocalSize {
 public:
  // "25%", "12.5%", or a size such as "64M". The error says what is valid.
  static StatusOr<LocalSize> Parse(std::string_view text);

  // As it was written.
  const std::string& text() const { return text_; }

  bool IsAll() const { return percent_ == 100; }
  bool NeedsFootprint() const { return percent_ != 0 && !IsAll(); }

  // In bytes, whole pages, for the given footprint (which does not matter unless it is needed).
  // An error if that is less than a heap can work with.
  StatusOr<uint64_t> Resolve(uint64_t footprint_bytes) const;

 private:
  LocalSize() = default;

  std::string text_;
  double percent_ = 0;  // 0: bytes_ counts
  uint64_t bytes_ = 0;
};

}  // namespace tandem::tools
