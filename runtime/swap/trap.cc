#include "runtime/swap/trap.h"

#include <signal.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <mutex>
#include <string>

#include "runtime/swap/pager.h"

namespace tandem::swap {
namespace {

constinit std::atomic<Pager*> g_pagers[TrapRegistry::kMaxPagers] = {};
constinit std::mutex g_mutex;
constinit struct sigaction g_previous = {};

// The fault that this thread is handing on, to notice a handler that came between two installations
// of ours and hands on to ours in turn: the same fault, deeper in the stack. A handler that jumps
// out (siglongjmp) leaves this behind; the next fault then has another context, or the same depth.
struct HandingOn {
  const void* context = nullptr;
  uintptr_t frame = 0;
};
__thread HandingOn t_handing_on;

void DieAsWithoutUs(const siginfo_t* info) {
  // Returning repeats the access; a signal that somebody sent has to be sent again.
  ::signal(SIGBUS, SIG_DFL);
  if (info->si_code <= 0) raise(SIGBUS);
}

void CallPrevious(int signal, siginfo_t* info, void* context, uintptr_t frame) {
  if (t_handing_on.context == context && frame < t_handing_on.frame) {
    DieAsWithoutUs(info);
    return;
  }
  t_handing_on = {context, frame};
  if ((g_previous.sa_flags & SA_SIGINFO) != 0) {
    g_previous.sa_sigaction(signal, info, context);
  } else if (g_previous.sa_handler == SIG_DFL || g_previous.sa_handler == SIG_IGN) {
    DieAsWithoutUs(info);
  } else {
    g_previous.sa_handler(signal);
  }
  t_handing_on = {};
}

void OnSigbus(int signal, siginfo_t* info, void* context) {
  const int saved_errno = errno;
  const auto address = reinterpret_cast<uintptr_t>(info->si_addr);
  for (auto& entry : g_pagers) {
    // Acquire: pairs with Add. A pager that is being removed has no threads in its heap.
    Pager* pager = entry.load(std::memory_order_acquire);
    if (pager == nullptr || !pager->table().Contains(address)) continue;
    if (pager->table().PageOf(address) >= pager->table().used()) break;  // never handed out
    pager->metrics().traps.Add();
    pager->ServeAccess(address);
    errno = saved_errno;
    return;
  }
  CallPrevious(signal, info, context, reinterpret_cast<uintptr_t>(__builtin_frame_address(0)));
  errno = saved_errno;
}

Status InstallHandler() {
  struct sigaction action {};
  action.sa_sigaction = OnSigbus;
  // Not deferred: a signal handler that interrupts this one may touch the heap, too.
  action.sa_flags = SA_SIGINFO | SA_NODEFER;
  sigemptyset(&action.sa_mask);
  struct sigaction current {};
  if (sigaction(SIGBUS, nullptr, &current) != 0 ||
      ((current.sa_flags & SA_SIGINFO) != 0 && current.sa_sigaction == OnSigbus)) {
    return Status::Ok();
  }
  g_previous = current;
  if (sigaction(SIGBUS, &action, nullptr) != 0) {
    return Status::Internal(std::string("cannot install the SIGBUS handler: ") +
                            std::strerror(errno));
  }
  return Status::Ok();
}

}  // namespace

Status TrapRegistry::Add(Pager& pager) {
  std::lock_guard lock(g_mutex);
  if (Status s = InstallHandler(); !s.ok()) return s;
  for (auto& entry : g_pagers) {
    if (entry.load(std::memory_order_relaxed) != nullptr) continue;
    entry.store(&pager, std::memory_order_release);
    return Status::Ok();
  }
  return Status::ResourceExhausted("too many heaps in one process: at most " +
                                   std::to_string(kMaxPagers));
}

void TrapRegistry::Remove(Pager& pager) {
  std::lock_guard lock(g_mutex);
  for (auto& entry : g_pagers) {
    if (entry.load(std::memory_order_relaxed) == &pager) {
      entry.store(nullptr, std::memory_order_release);
    }
  }
}

}  // namespace tandem::swap
