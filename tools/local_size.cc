#include "tools/local_size.h"

#include <fmt/format.h>

#include <charconv>

#include "tandem/heap.h"
#include "workloads/bytes.h"

namespace tandem::tools {

namespace {

constexpr uint64_t kPageBytes = 4096;

Status NotValid(std::string_view text) {
  return Status::InvalidArgument(
      fmt::format("'{}' is not valid; valid are 100%, 25%, 12.5% of the footprint and the like, "
                  "or {} and more",
                  text, workloads::FormatBytes(HeapOptions::kMinLocalBytes)));
}

}  // namespace

StatusOr<LocalSize> LocalSize::Parse(std::string_view text) {
  LocalSize size;
  size.text_ = text;
  if (text.empty() || text.back() != '%') {
    const StatusOr<uint64_t> bytes = workloads::ParseBytes(text);
    if (!bytes.ok() || bytes.value() < HeapOptions::kMinLocalBytes) return NotValid(text);
    size.bytes_ = bytes.value();
    return size;
  }
  const char* end = text.data() + text.size() - 1;
  const auto [parsed, error] = std::from_chars(text.data(), end, size.percent_);
  // The negated comparison also refuses what is not a number.
  if (error != std::errc() || parsed != end || !(size.percent_ > 0 && size.percent_ <= 100)) {
    return NotValid(text);
  }
  return size;
}

StatusOr<uint64_t> LocalSize::Resolve(uint64_t footprint_bytes) const {
  if (IsAll()) return HeapOptions::kAllLocal;
  if (percent_ == 0) return bytes_;
  const auto share = static_cast<uint64_t>(static_cast<double>(footprint_bytes) * percent_ / 100);
  const uint64_t bytes = share / kPageBytes * kPageBytes;
  if (bytes >= HeapOptions::kMinLocalBytes) return bytes;
  return Status::InvalidArgument(
      fmt::format("--local: {} of the footprint, {}, is {}; valid are {} and more", text_,
                  workloads::FormatBytes(footprint_bytes), workloads::FormatBytes(share),
                  workloads::FormatBytes(HeapOptions::kMinLocalBytes)));
}

}  // namespace tandem::tools
