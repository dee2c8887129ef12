// SignalsBlocked: no signal handler of the application runs on this thread for a scope.
//
// Handlers may touch the heap. They must not while their thread holds what such an access would
// wait for; nor on threads of our own, which inherit what is blocked where they are started. Faults
// are not blocked. Async-signal-safe.
#pragma once

#include <signal.h>

namespace tandem::base {

class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t blocked;
    sigfillset(&blocked);
    for (const int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS}) {
      sigdelset(&blocked, fault);
    }
    pthread_sigmask(SIG_SETMASK, &blocked, &before_);
  }
  ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

 private:
  sigset_t before_;
};

}  // namespace tandem::base
