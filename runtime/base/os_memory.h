// OsMemory: an owned, page-aligned range of address space: anonymous, or a part of a shared file.
//
// Anonymous memory is reserved without being committed: untouched parts read as zero and cost
// nothing. Movable, not copyable; unmapped on destruction. Not synchronised.
#pragma once

#include <sys/mman.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <utility>

#include "tandem/status.h"

namespace tandem::base {

inline constexpr size_t kPageSize = 4096;
inline constexpr size_t kPageShift = 12;

inline constexpr size_t RoundUp(size_t n, size_t multiple) {
  return (n + multiple - 1) / multiple * multiple;
}

class OsMemory {
 public:
  OsMemory() = default;
  OsMemory(OsMemory&& other) noexcept
      : start_(std::exchange(other.start_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}
  OsMemory& operator=(OsMemory&& other) noexcept {
    std::swap(start_, other.start_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~OsMemory() {
    if (start_ != nullptr) munmap(start_, bytes_);
  }

  // Reserves `bytes`, aligned to `alignment` (a power of two). `what` names the use in errors.
  static StatusOr<OsMemory> Reserve(size_t bytes, size_t alignment, const char* what,
                                    int protection = PROT_READ | PROT_WRITE) {
    bytes = RoundUp(bytes, kPageSize);
    const size_t slack = alignment > kPageSize ? alignment : 0;
    void* p = mmap(nullptr, bytes + slack, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                   -1, 0);
    if (p == MAP_FAILED) {
      return Status::ResourceExhausted(
          "cannot reserve " + std::to_string(bytes) + " bytes of address space for " + what + ": " +
          std::strerror(errno) + " (is `ulimit -v` or vm.overcommit_memory=2 in force?)");
    }
    auto start = reinterpret_cast<uintptr_t>(p);
    if (slack != 0) {
      const uintptr_t aligned = RoundUp(start, alignment);
      if (aligned > start) munmap(p, aligned - start);
      const uintptr_t end = start + bytes + slack;
      if (end > aligned + bytes) {
        munmap(reinterpret_cast<void*>(aligned + bytes), end - (aligned + bytes));
      }
      start = aligned;
    }
    OsMemory memory;
    memory.start_ = reinterpret_cast<std::byte*>(start);
    memory.bytes_ = bytes;
    return memory;
  }

  // Maps a part of an open file, as others who map it see it.
  static StatusOr<OsMemory> MapShared(int file, uint64_t offset, size_t bytes, const char* what) {
    void* p =
        mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, static_cast<off_t>(offset));
    if (p == MAP_FAILED) {
      return Status::ResourceExhausted("cannot map " + std::to_string(bytes) + " bytes of " + what +
                                       ": " + std::strerror(errno));
    }
    OsMemory memory;
    memory.start_ = static_cast<std::byte*>(p);
    memory.bytes_ = bytes;
    return memory;
  }

  std::byte* data() const { return start_; }
  uintptr_t address() const { return reinterpret_cast<uintptr_t>(start_); }
  size_t size() const { return bytes_; }

 private:
  std::byte* start_ = nullptr;
  size_t bytes_ = 0;
};

}  // namespace tandem::base
