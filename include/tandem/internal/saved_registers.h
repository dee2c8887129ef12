// SavedRegisters: the registers in which a function's callers may keep references. Not for users.
//
// What lies in them is not on the stack, so a thread that stops saves them there for the
// collector to find. Save() is inlined into the function that owns the object: called, the
// prologue would already have moved them.
#pragma once

#include <cstdint>

namespace tandem::internal {

class SavedRegisters {
 public:
  [[gnu::always_inline]] void Save() {
#if defined(__x86_64__)
    asm volatile(
        "movq %%rbx, 0(%0)\n\tmovq %%rbp, 8(%0)\n\tmovq %%r12, 16(%0)\n\t"
        "movq %%r13, 24(%0)\n\tmovq %%r14, 32(%0)\n\tmovq %%r15, 40(%0)"
        :
        : "r"(values_)
        : "memory");
#elif defined(__aarch64__)
    asm volatile(
        "stp x19, x20, [%0]\n\tstp x21, x22, [%0, #16]\n\tstp x23, x24, [%0, #32]\n\t"
        "stp x25, x26, [%0, #48]\n\tstp x27, x28, [%0, #64]\n\tstr x29, [%0, #80]"
        :
        : "r"(values_)
        : "memory");
#else
#error "tell SavedRegisters which registers a function must preserve on this machine"
#endif
  }

 private:
  uintptr_t values_[12] = {};
};

}  // namespace tandem::internal
