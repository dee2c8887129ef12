// The parts of <linux/userfaultfd.h> that Debian 12's headers (Linux 6.1) stop before.
//
// Values are the kernel's ABI. Whether the running kernel knows them is probed: userfault.h.
#pragma once

#include <linux/userfaultfd.h>
#include <sys/ioctl.h>

#ifndef UFFD_FEATURE_WP_UNPOPULATED
#define UFFD_FEATURE_WP_UNPOPULATED (1 << 13)  // Linux 6.4
#endif
#ifndef UFFD_FEATURE_MOVE
#define UFFD_FEATURE_MOVE (1 << 16)  // Linux 6.8
#endif

#ifndef UFFDIO_MOVE
struct uffdio_move {
  __u64 dst;
  __u64 src;
  __u64 len;
#define UFFDIO_MOVE_MODE_DONTWAKE (static_cast<__u64>(1) << 0)
  __u64 mode;
  __s64 move;  // out: bytes moved, or a negative error number
};
#define UFFDIO_MOVE _IOWR(UFFDIO, 0x05, struct uffdio_move)
#endif
