// Probes: places in the runtime that perf, bpftrace and SystemTap can attach to (USDT).
//
// TANDEM_PROBE2(name, a, b) is a nop and a note in the program that tells where it is and where its
// arguments are; nothing is counted, tested or called while nobody is attached. Any thread;
// async-signal-safe. Arguments are integers, and computed whether or not anybody listens: pass what
// is at hand. The provider is `tandem`; docs/tracing.md lists the probes.
//
// Without <sys/sdt.h> (Debian: systemtap-sdt-dev) probes are nothing at all.
#pragma once

#if __has_include(<sys/sdt.h>)
#include <sys/sdt.h>

#define TANDEM_HAS_PROBES 1
#define TANDEM_PROBE2(name, a, b) DTRACE_PROBE2(tandem, name, a, b)
#else
#define TANDEM_HAS_PROBES 0
#define TANDEM_PROBE2(name, a, b) \
  do {                            \
    (void)sizeof(a);              \
    (void)sizeof(b);              \
  } while (0)
#endif
