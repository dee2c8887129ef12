// StackScan: reading a stopped thread's stack conservatively.
//
// The registers are on it too: see tandem/internal/saved_registers.h.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tandem::tracer {

// The end of the calling thread's stack: the highest address of it.
uintptr_t StackBase();

// Calls visit(word) for each word in [top, base).
template <typename Visit>
#if defined(__clang__)
__attribute__((no_sanitize("address", "thread")))
#else
__attribute__((no_sanitize_address, no_sanitize_thread))
#endif
void ScanStack(uintptr_t top, uintptr_t base, Visit&& visit) {
  for (uintptr_t p = (top + 7) & ~uintptr_t{7}; p + 8 <= base; p += 8) {
    visit(*reinterpret_cast<const volatile uintptr_t*>(p));
  }
}

}  // namespace tandem::tracer
