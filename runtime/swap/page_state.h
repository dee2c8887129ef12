// The state byte of a page: residency, accessed bit and line-up hint in one place.
//
// One byte a 4 KiB page, zero for "local and touched": the value that lets an access pass.
//
//        +-------------- Populate (fresh: a zero page, no transfer) ---------------+
//        |                                                                         v
//   +---------+  a CAS                +----------+   the CAS' winner          +-------+
//   |   FAR   | --------------------> | FETCHING | -------------------------> | LOCAL |<--+
//   | [fresh] | <-------------------- |          | <--+                       | flags |   |
//   +---------+   b gave up           +----------+    |                       +-------+   |
//     ^  ^  ^                                         |                         | c CAS   |
//     |  |  |                                         | g CAS, any              v         |
//     |  |  |   d clean, dead or zero             +---------+               +---------+   |
//     |  |  +------------------------------------ |         | <------------ | LEAVING | --+
//     |  |                                        | WRITING |  e unmapped,  +---------+  f pinned:
//     |  +--------------------------------------- +---------+    dirty        |            put back
//     |      h CAS, the write is done                                         |
//     +-----------------------------------------------------------------------+
//            d (clean pages go straight from LEAVING)
//
// Who may do what (evictor: whoever holds the eviction lock):
//   a  FAR -> FETCHING       any thread, by CAS, holding a frame of the budget
//   b  FETCHING -> FAR       the thread that did a (fetch failed for good); returns the frame
//      FETCHING -> LOCAL     the thread that did a or g, after the page is mapped
//                            (for pages in Arrivals both are done by whoever holds its lock)
//   c  LOCAL* -> LEAVING     evictor, by CAS from the value it judged
//   f  LEAVING -> LOCAL      evictor, if the page is pinned or an older write of it is in flight
//   d  LEAVING -> FAR        evictor, after unmapping, if the far copy is good (equal hash), the
//                            page is dead, or all zero (then FAR|fresh)
//   e  LEAVING -> WRITING    evictor, after unmapping; the bytes are in a staging slot that
//                            PageTable::slot(page) names, the frame has gone back to the budget
//   g  WRITING -> FETCHING   any thread, by CAS, holding a frame: takes the page back from the slot
//   h  WRITING -> FAR        evictor, by CAS, when the write completed; fails if g came first
//   c' LOCAL* -> LEAVING -> LOCAL|untouched   the heap's sweeper, to mark a page of dead objects
//   a' FAR -> FETCHING -> FAR|fresh           dead (Pager::MarkDead): no thread wants it
//      LOCAL* -> LOCAL*'     by CAS: a mutator's first touch clears the flags, the evictor
//                            sets kUntouched, the collector sets kArmed to reach a safepoint
//
// Forbidden: FAR -> LOCAL without FETCHING (two threads would map one page); LOCAL -> FAR without
// LEAVING (a store could fall between copy and unmapping); LEAVING -> FETCHING (the bytes have no
// known place yet: wait); WRITING -> LEAVING; any store without CAS to a state that another
// thread may leave.
//
// Who waits for whom: a thread that finds FETCHING waits for the fetcher, which waits for the
// fabric only (it took its frame before), or lands the page itself if it is among the arrivals; one
// that finds LEAVING waits for the evictor, which waits for slots, which are given back by fetchers
// and by completed writes; one that waits for a frame waits for the evictor, and lands arrivals,
// which hold frames and are nobody's. A store that traps because pages around its own leave, and
// who pins such a page, wait for the evictor to unmap them, which waits for nothing (it has slots
// by then). Nobody who holds a page in FETCHING or a slot waits for a frame; a poster of arrivals
// waits for nothing. tests/swap/page_state_model_test.cc interleaves all of this exhaustively.
#pragma once

#include <cstdint>

namespace tandem::swap {

using PageState = uint8_t;

inline constexpr PageState kResidencyMask = 0x07;
inline constexpr PageState kLocal = 0;
inline constexpr PageState kFar = 1;
inline constexpr PageState kFetching = 2;
inline constexpr PageState kLeaving = 3;
inline constexpr PageState kWriting = 4;

// Flags of a LOCAL page.
inline constexpr PageState kUntouched = 0x08;   // no mutator has touched it in this epoch
inline constexpr PageState kPrefetched = 0x10;  // brought in before anybody asked, not used yet
inline constexpr PageState kCold = 0x20;        // brought in by the collector only
inline constexpr PageState kHinted = 0x40;      // with kPrefetched: the application asked for it
inline constexpr PageState kArmed = 0x80;       // the next access shall come by a safepoint

// Flag of a FAR page: there is no far copy, the content is zero.
inline constexpr PageState kFresh = 0x40;

inline constexpr PageState Residency(PageState s) { return s & kResidencyMask; }

}  // namespace tandem::swap
