#include "runtime/swap/userfault.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "runtime/base/check.h"
#include "runtime/base/os_memory.h"
#include "runtime/swap/kernel_uffd.h"

namespace tandem::swap {
namespace {

StatusOr<int> OpenDescriptor() {
  const long fd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | UFFD_USER_MODE_ONLY);
  if (fd >= 0) return static_cast<int>(fd);
  if (errno == EPERM) {
    return Status::NotPermitted(
        "this system does not permit userfaultfd: a container's seccomp profile refuses it by "
        "default; allow the system call `userfaultfd` in the profile (docker: --security-opt "
        "seccomp=unconfined), or run outside the container");
  }
  if (errno == ENOSYS || errno == EINVAL) {
    return Status::Unavailable(
        "this kernel has no userfaultfd for user-mode faults: Linux 5.11 or later with "
        "CONFIG_USERFAULTFD is needed");
  }
  return Status::Unavailable(std::string("cannot open userfaultfd: ") + std::strerror(errno));
}

// The kernel tells its features only on the first call on a descriptor, which also fixes those
// that will be used: so one descriptor to ask and another to use.
StatusOr<uint64_t> ProbeFeatures() {
  auto fd = OpenDescriptor();
  if (!fd.ok()) return fd.status();
  uffdio_api api{};
  api.api = UFFD_API;
  const int result = ioctl(*fd, UFFDIO_API, &api);
  close(*fd);
  if (result != 0) return Status::Unavailable("the kernel refuses the userfaultfd API version");
  return uint64_t{api.features};
}

// Unmaps all of the ranges in one call; false if the kernel cannot, or has not unmapped all.
bool UnmapTogether(std::span<const iovec> ranges) {
  constexpr int kThisProcess = -10001;  // PIDFD_SELF_THREAD_GROUP, as from Linux 6.17 on
  size_t bytes = 0;
  for (const iovec& range : ranges) bytes += range.iov_len;
  return syscall(SYS_process_madvise, kThisProcess, ranges.data(), ranges.size(), MADV_DONTNEED,
                 0) == static_cast<long>(bytes);
}

bool CanUnmapTogether() {
  auto page = base::OsMemory::Reserve(base::kPageSize, base::kPageSize, "a probe");
  if (!page.ok()) return false;
  const iovec range{page->data(), base::kPageSize};
  return UnmapTogether({&range, 1});
}

bool IsMapped(uintptr_t page) {
  unsigned char residency = 0;
  while (mincore(reinterpret_cast<void*>(page), base::kPageSize, &residency) != 0) {
    if (errno != EAGAIN) base::Fatal("mincore failed");
  }
  return (residency & 1) != 0;
}

}  // namespace

StatusOr<Userfault> Userfault::Open(bool allow_move) {
  auto features = ProbeFeatures();
  if (!features.ok()) return features.status();
  if ((*features & UFFD_FEATURE_SIGBUS) == 0) {
    return Status::Unavailable("this kernel's userfaultfd has no SIGBUS mode (Linux 4.14)");
  }
  const bool has_move = allow_move && (*features & UFFD_FEATURE_MOVE) != 0;
  const uint64_t write_protect = *features & UFFD_FEATURE_PAGEFAULT_FLAG_WP;
  if (!has_move && write_protect == 0) {
    return Status::Unavailable(
        "this kernel's userfaultfd can neither move pages (Linux 6.8) nor write-protect them "
        "(Linux 5.7, x86-64 or arm64)");
  }
  auto fd = OpenDescriptor();
  if (!fd.ok()) return fd.status();
  uffdio_api api{};
  api.api = UFFD_API;
  api.features =
      UFFD_FEATURE_SIGBUS | write_protect | (has_move ? uint64_t{UFFD_FEATURE_MOVE} : uint64_t{0});
  if (ioctl(*fd, UFFDIO_API, &api) != 0) {
    close(*fd);
    return Status::Unavailable(std::string("cannot set userfaultfd up: ") + std::strerror(errno));
  }
  return Userfault(*fd, has_move, write_protect != 0, CanUnmapTogether());
}

Userfault::~Userfault() {
  if (fd_ >= 0) close(fd_);
}

Status Userfault::Register(uintptr_t start, size_t bytes, bool write_protect) {
  uffdio_register request{};
  request.range = {start, bytes};
  request.mode = UFFDIO_REGISTER_MODE_MISSING |
                 (write_protect ? uint64_t{UFFDIO_REGISTER_MODE_WP} : uint64_t{0});
  if (ioctl(fd_, UFFDIO_REGISTER, &request) != 0) {
    return Status::Unavailable(std::string("cannot register memory with userfaultfd: ") +
                               std::strerror(errno));
  }
  return Status::Ok();
}

void Userfault::Copy(uintptr_t to, const void* from, size_t bytes) {
  size_t done = 0;
  while (done < bytes) {
    uffdio_copy request{};
    request.dst = to + done;
    request.src = reinterpret_cast<uintptr_t>(from) + done;
    request.len = bytes - done;
    request.mode = UFFDIO_COPY_MODE_DONTWAKE;
    if (ioctl(fd_, UFFDIO_COPY, &request) == 0) return;
    // EAGAIN: the address space was changing; `copy` tells how far it came.
    if (errno == EAGAIN || errno == EINTR) {
      if (request.copy > 0) done += static_cast<size_t>(request.copy);
      continue;
    }
    TANDEM_CHECK(errno != EEXIST, "a page was mapped twice");
    TANDEM_CHECK(errno != ENOMEM, "the system is out of memory");
    base::Fatal("UFFDIO_COPY failed");
  }
}

void Userfault::Move(uintptr_t to, uintptr_t from, size_t bytes) {
  size_t done = 0;
  while (done < bytes) {
    uffdio_move request{};
    request.dst = to + done;
    request.src = from + done;
    request.len = bytes - done;
    request.mode = UFFDIO_MOVE_MODE_DONTWAKE;
    if (ioctl(fd_, UFFDIO_MOVE, &request) == 0) return;
    if (errno == EAGAIN || errno == EINTR || errno == EBUSY) {
      // EBUSY is short here: somebody else in the kernel (compaction) holds the page.
      if (request.move > 0) done += static_cast<size_t>(request.move);
      continue;
    }
    if (errno == EEXIST && !IsMapped(from + done)) {
      // Linux 6.18 forgets a page that it moved at the second attempt (something else had changed
      // the source's entry during the first, such as reclaim its accessed bit): it tries a third
      // time, and says that the destination is mapped.
      done += base::kPageSize;
      continue;
    }
    TANDEM_CHECK(errno != EEXIST, "a page was mapped twice");
    TANDEM_CHECK(errno != ENOENT, "a page that should be mapped is missing");
    base::Fatal("UFFDIO_MOVE failed");
  }
}

void Userfault::Protect(uintptr_t start, size_t bytes, bool protect) {
  uffdio_writeprotect request{};
  request.range = {start, bytes};
  request.mode = protect ? UFFDIO_WRITEPROTECT_MODE_WP : UFFDIO_WRITEPROTECT_MODE_DONTWAKE;
  while (ioctl(fd_, UFFDIO_WRITEPROTECT, &request) != 0) {
    if (errno != EAGAIN && errno != EINTR) base::Fatal("UFFDIO_WRITEPROTECT failed");
  }
}

void Userfault::Unmap(uintptr_t start, size_t bytes) {
  while (madvise(reinterpret_cast<void*>(start), bytes, MADV_DONTNEED) != 0) {
    if (errno != EAGAIN && errno != EINTR) base::Fatal("madvise(MADV_DONTNEED) failed");
  }
}

void Userfault::UnmapAll(std::span<const iovec> ranges) {
  // What is unmapped already may be unmapped again.
  if (unmaps_together_ && ranges.size() > 1 && UnmapTogether(ranges)) return;
  for (const iovec& range : ranges) {
    Unmap(reinterpret_cast<uintptr_t>(range.iov_base), range.iov_len);
  }
}

}  // namespace tandem::swap
