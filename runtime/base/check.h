// TANDEM_CHECK: an invariant that, broken, ends the process with a message.
//
// CHECK stays on in every build; DCHECK is for hot paths and misuse of the API, and is on in
// checking builds (debug and sanitizer presets). Both are async-signal-safe.
#pragma once

#include <unistd.h>

#include <cstdlib>
#include <cstring>

namespace tandem::base {

[[noreturn, gnu::cold, gnu::noinline]] inline void Fatal(const char* message) {
  // write(2), not stdio: this may run inside the fault handler.
  static constexpr char kPrefix[] = "tandem: fatal: ";
  (void)!write(2, kPrefix, sizeof kPrefix - 1);
  (void)!write(2, message, std::strlen(message));
  (void)!write(2, "\n", 1);
  std::abort();
}

}  // namespace tandem::base

#define TANDEM_STRINGIZE_IMPL(x) #x
#define TANDEM_STRINGIZE(x) TANDEM_STRINGIZE_IMPL(x)
#define TANDEM_CHECK(condition, message)                                                         \
  do {                                                                                           \
    if (__builtin_expect(!(condition), 0))                                                       \
      ::tandem::base::Fatal(__FILE__ ":" TANDEM_STRINGIZE(__LINE__) ": " message " (" #condition \
                                                                    ")");                        \
  } while (0)
#ifdef TANDEM_CHECKING
#define TANDEM_DCHECK(condition, message) TANDEM_CHECK(condition, message)
#else
#define TANDEM_DCHECK(condition, message) \
  do {                                    \
    (void)sizeof(!(condition));           \
  } while (0)
#endif
