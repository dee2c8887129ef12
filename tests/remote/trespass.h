// Trespasses: what a thread does in a stretch of code that may take long or block: allocations,
// locks and system calls.
//
// Allocations and locks are seen because this file's program has malloc, pthread_mutex_lock and
// their like of its own, in front of the libraries' (so one program only links this, and none with
// a sanitizer). System calls are seen by the kernel: with syscall user dispatch (Linux 5.11,
// x86-64) each raises SIGSYS while a byte of this thread's says so, whoever makes it and however.
// The clock is left out: it is a system call only where the kernel does not trust the machine's.
#pragma once

#include <string>
#include <vector>

namespace tandem::rdma {

// One trespass. Ours: called by this program itself, not by a library but for the C++ library's.
struct Trespass {
  std::string what;   // "malloc", "pthread_mutex_lock", "system call 16"
  std::string where;  // the module that has called it, for people
  bool ours = false;
};

class Trespasses {
 public:
  // Makes ready to watch this thread. False if the kernel cannot show system calls: they are
  // missing then.
  static bool Prepare();

  // Watches this thread from here on.
  static void Begin();
  // Until here; what it saw, up to 64.
  static void End();
  static std::vector<Trespass> Seen();
};

}  // namespace tandem::rdma
