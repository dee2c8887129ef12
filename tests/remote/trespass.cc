#include "tests/remote/trespass.h"

#include <dlfcn.h>
#include <execinfo.h>
#include <jemalloc/jemalloc.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <new>

#ifndef PR_SET_SYSCALL_USER_DISPATCH
#define PR_SET_SYSCALL_USER_DISPATCH 59
#define PR_SYS_DISPATCH_ON 1
#endif

namespace tandem::rdma {
namespace {

struct Raw {
  const char* call = nullptr;  // null: a system call
  long number = 0;
  void* callers[8] = {};  // innermost first
  int depth = 0;
};

constexpr int kMaxSeen = 64;
// All of it is the watched thread's. Plain data: malloc itself reads it.
__thread bool t_watching = false;
__thread int t_count = 0;
__thread Raw t_seen[kMaxSeen];

void Note(const char* call, void* caller) {
  if (!t_watching || t_count == kMaxSeen) return;
  t_seen[t_count++] = {.call = call, .callers = {caller}, .depth = 1};
}

template <typename Function>
Function Next(const char* name) {
  void* const found = dlsym(RTLD_NEXT, name);
  Function function;
  static_assert(sizeof found == sizeof function);
  std::memcpy(&function, &found, sizeof function);
  return function;
}

#ifdef __x86_64__

constexpr char kPass = 0;  // SYSCALL_DISPATCH_FILTER_ALLOW
constexpr char kStop = 1;  // SYSCALL_DISPATCH_FILTER_BLOCK
__thread volatile char t_gate = kPass;

uintptr_t g_restorer = 0;
void FindRestorer(int) { g_restorer = reinterpret_cast<uintptr_t>(__builtin_return_address(0)); }

// Does what the thread wanted, and notes it.
void OnSystemCall(int, siginfo_t* info, void* context) {
  t_gate = kPass;
  const bool watching = t_watching;
  t_watching = false;
  auto& registers = static_cast<ucontext_t*>(context)->uc_mcontext.gregs;
  const long number = info->si_syscall;
  if (watching && number != SYS_clock_gettime && t_count < kMaxSeen) {
    Raw& raw = t_seen[t_count++];
    raw = {.number = number};
    void* frames[16];
    const int depth = backtrace(frames, static_cast<int>(std::size(frames)));
    // Past this handler's own frames, to the instruction that was stopped.
    int first = 0;
    while (first < depth && frames[first] != reinterpret_cast<void*>(registers[REG_RIP])) ++first;
    for (; first < depth && raw.depth < static_cast<int>(std::size(raw.callers)); ++first) {
      raw.callers[raw.depth++] = frames[first];
    }
  }
  register long r10 asm("r10") = registers[REG_R10];
  register long r8 asm("r8") = registers[REG_R8];
  register long r9 asm("r9") = registers[REG_R9];
  long result = number;
  asm volatile("syscall"
               : "+a"(result)
               : "D"(registers[REG_RDI]), "S"(registers[REG_RSI]), "d"(registers[REG_RDX]),
                 "r"(r10), "r"(r8), "r"(r9)
               : "rcx", "r11", "memory");
  registers[REG_RAX] = result;
  t_watching = watching;
  t_gate = watching ? kStop : kPass;
}

bool PrepareSystemCalls() {
  struct sigaction action {};
  action.sa_handler = FindRestorer;
  sigaction(SIGSYS, &action, nullptr);
  raise(SIGSYS);
  action.sa_sigaction = OnSystemCall;
  action.sa_flags = SA_SIGINFO;
  sigaction(SIGSYS, &action, nullptr);
  void* frame[1];
  (void)backtrace(frame, 1);  // loads what it needs
  // The handler's return is a system call as well.
  return prctl(PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_ON, g_restorer, 16UL, &t_gate) == 0;
}

#else

constexpr char kPass = 0;
constexpr char kStop = 1;
__thread volatile char t_gate = kPass;
bool PrepareSystemCalls() { return false; }

#endif

std::string ModuleOf(const void* address) {
  Dl_info info{};
  return dladdr(address, &info) != 0 && info.dli_fname != nullptr ? info.dli_fname : "?";
}

bool Contains(const std::string& text, const char* part) { return text.find(part) != text.npos; }

}  // namespace

bool Trespasses::Prepare() { return PrepareSystemCalls(); }

void Trespasses::Begin() {
  t_count = 0;
  t_watching = true;
  t_gate = kStop;
}

void Trespasses::End() {
  t_gate = kPass;
  t_watching = false;
}

std::vector<Trespass> Trespasses::Seen() {
  const std::string program = ModuleOf(reinterpret_cast<void*>(&Trespasses::Seen));
  std::vector<Trespass> seen;
  for (int i = 0; i < t_count; ++i) {
    const Raw& raw = t_seen[i];
    Trespass& trespass = seen.emplace_back();
    trespass.what = raw.call != nullptr ? raw.call : "system call " + std::to_string(raw.number);
    for (int frame = 0; frame < raw.depth; ++frame) {
      trespass.where = ModuleOf(raw.callers[frame]);
      // The C library makes the call on somebody's behalf.
      if (!Contains(trespass.where, "/libc.so") && !Contains(trespass.where, "[vdso]")) break;
    }
    trespass.ours = trespass.where == program || Contains(trespass.where, "/libstdc++");
  }
  return seen;
}

}  // namespace tandem::rdma

// In front of jemalloc's; what they return is freed by its free.
extern "C" {

void* malloc(size_t bytes) {
  tandem::rdma::Note("malloc", __builtin_return_address(0));
  return mallocx(bytes == 0 ? 1 : bytes, 0);
}

void* calloc(size_t count, size_t bytes) {
  tandem::rdma::Note("calloc", __builtin_return_address(0));
  size_t all = 0;
  if (__builtin_mul_overflow(count, bytes, &all)) {
    errno = ENOMEM;
    return nullptr;
  }
  return mallocx(all == 0 ? 1 : all, MALLOCX_ZERO);
}

void* realloc(void* old, size_t bytes) {
  tandem::rdma::Note("realloc", __builtin_return_address(0));
  if (old == nullptr) return mallocx(bytes == 0 ? 1 : bytes, 0);
  return rallocx(old, bytes == 0 ? 1 : bytes, 0);
}

void* aligned_alloc(size_t alignment, size_t bytes) {
  tandem::rdma::Note("aligned_alloc", __builtin_return_address(0));
  return mallocx(bytes == 0 ? 1 : bytes, MALLOCX_ALIGN(alignment));
}

int posix_memalign(void** result, size_t alignment, size_t bytes) {
  tandem::rdma::Note("posix_memalign", __builtin_return_address(0));
  *result = mallocx(bytes == 0 ? 1 : bytes, MALLOCX_ALIGN(alignment));
  return *result == nullptr ? ENOMEM : 0;
}

#define TANDEM_WATCH_LOCK(name, type)                                   \
  int name(type* lock) {                                                \
    static const auto next = tandem::rdma::Next<int (*)(type*)>(#name); \
    tandem::rdma::Note(#name, __builtin_return_address(0));             \
    return next(lock);                                                  \
  }
TANDEM_WATCH_LOCK(pthread_mutex_lock, pthread_mutex_t)
TANDEM_WATCH_LOCK(pthread_mutex_trylock, pthread_mutex_t)
TANDEM_WATCH_LOCK(pthread_rwlock_rdlock, pthread_rwlock_t)
TANDEM_WATCH_LOCK(pthread_rwlock_wrlock, pthread_rwlock_t)
TANDEM_WATCH_LOCK(pthread_spin_lock, volatile pthread_spinlock_t)
#undef TANDEM_WATCH_LOCK

}  // extern "C"

// In front of jemalloc's or the C++ library's: the caller is the one that has the `new`.
void* operator new(size_t bytes) {
  tandem::rdma::Note("operator new", __builtin_return_address(0));
  void* const made = mallocx(bytes == 0 ? 1 : bytes, 0);
  if (made == nullptr) std::abort();
  return made;
}
void* operator new(size_t bytes, std::align_val_t alignment) {
  tandem::rdma::Note("operator new", __builtin_return_address(0));
  void* const made = mallocx(bytes == 0 ? 1 : bytes, MALLOCX_ALIGN(static_cast<size_t>(alignment)));
  if (made == nullptr) std::abort();
  return made;
}
void operator delete(void* made) noexcept { free(made); }
void operator delete(void* made, size_t) noexcept { free(made); }
void operator delete(void* made, std::align_val_t) noexcept { free(made); }
void operator delete(void* made, size_t, std::align_val_t) noexcept { free(made); }
