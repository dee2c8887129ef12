// BlockSweep: the bit arithmetic of sweeping one block. Pure.
//
// A block's bitmaps are taken as one number of 4096 bits, granule 0 lowest. Objects do not
// overlap, so with S the starts, E the ends, M the starts that are marked:
//   T = E - S     has the bits of each object but its last granule (a sum of 2^e - 2^s),
//   T + M         carries a marked object's start through T to its end bit, and leaves T of
//                 unmarked objects alone: (T + M) & E are the ends of the marked objects,
//   (Elive - M) | Elive   covers the granules of the marked objects.
// Borrows and carries run from word to word.
#pragma once

#include <bit>
#include <cstdint>

#include "runtime/heap/layout.h"

namespace tandem::heap {

class BlockSweep {
 public:
  struct Word {
    uint64_t starts;   // of live objects
    uint64_t ends;     // of live objects
    uint64_t covered;  // granules of live objects
  };

  // Takes the words of a block in order.
  Word Next(uint64_t starts, uint64_t ends, uint64_t marks) {
    const uint64_t live = starts & marks;
    const uint64_t bodies = Subtract(ends, starts, borrow_all_);
    const uint64_t live_ends = Add(bodies, live, carry_) & ends;
    const uint64_t covered = Subtract(live_ends, live, borrow_live_) | live_ends;
    return {live, live_ends, covered};
  }

 private:
  static uint64_t Subtract(uint64_t a, uint64_t b, uint64_t& borrow) {
    uint64_t d = 0;
    const bool b1 = __builtin_sub_overflow(a, b, &d);
    const bool b2 = __builtin_sub_overflow(d, borrow, &d);
    borrow = b1 || b2;
    return d;
  }
  static uint64_t Add(uint64_t a, uint64_t b, uint64_t& carry) {
    uint64_t s = 0;
    const bool c1 = __builtin_add_overflow(a, b, &s);
    const bool c2 = __builtin_add_overflow(s, carry, &s);
    carry = c1 || c2;
    return s;
  }

  uint64_t borrow_all_ = 0;
  uint64_t borrow_live_ = 0;
  uint64_t carry_ = 0;
};

}  // namespace tandem::heap
