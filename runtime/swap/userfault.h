// Userfault: the kernel's userfaultfd in SIGBUS mode, user-mode faults only.
//
// Owned by a pager; needs no privilege. Calls on pages take a whole number of pages, retry what
// the kernel asks to retry, and end the process on errors that would mean a broken invariant
// (such as mapping a page twice). Any thread; async-signal-safe but for Open and Register.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

#include "tandem/status.h"

namespace tandem::swap {

class Userfault {
 public:
  // `allow_move` false: behave as on a kernel before 6.8.
  static StatusOr<Userfault> Open(bool allow_move);
  Userfault(Userfault&& other) noexcept
      : fd_(std::exchange(other.fd_, -1)),
        has_move_(other.has_move_),
        has_write_protect_(other.has_write_protect_),
        unmaps_together_(other.unmaps_together_) {}
  Userfault& operator=(Userfault&&) = delete;
  ~Userfault();

  bool has_move() const { return has_move_; }
  bool has_write_protect() const { return has_write_protect_; }

  // Accesses to missing pages of the range raise SIGBUS from now on; with `write_protect`, so do
  // stores to protected ones.
  Status Register(uintptr_t start, size_t bytes, bool write_protect);

  // Maps copies of [from, from + bytes) at `to`, where nothing is mapped.
  void Copy(uintptr_t to, const void* from, size_t bytes);
  // Moves the mapped pages at `from` to `to`, where nothing is mapped: one atomic step a page,
  // after which an access at `from` is missing.
  void Move(uintptr_t to, uintptr_t from, size_t bytes);
  // Stores to the mapped pages of the range raise SIGBUS until they are unmapped, or the protection
  // is lifted.
  void WriteProtect(uintptr_t start, size_t bytes) { Protect(start, bytes, true); }
  void LiftProtection(uintptr_t start, size_t bytes) { Protect(start, bytes, false); }
  // Drops the mapped pages of the range; accesses are missing afterwards.
  static void Unmap(uintptr_t start, size_t bytes);
  // The same for many ranges, in one system call and with one flush of the TLBs where the kernel
  // can (Linux 6.17).
  void UnmapAll(std::span<const iovec> ranges);

 private:
  Userfault(int fd, bool has_move, bool has_write_protect, bool unmaps_together)
      : fd_(fd),
        has_move_(has_move),
        has_write_protect_(has_write_protect),
        unmaps_together_(unmaps_together) {}
  void Protect(uintptr_t start, size_t bytes, bool protect);

  int fd_;
  bool has_move_;
  bool has_write_protect_;
  bool unmaps_together_;
};

}  // namespace tandem::swap
