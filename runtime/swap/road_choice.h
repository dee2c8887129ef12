// RoadChoice: whether single pages come and leave by being moved or by being copied (Mapper and
// Unmapper tell what that means), whichever costs less of late.
//
// It is one choice for both ways, by what coming and leaving cost together. Moved both ways, pages
// go in circles between heap and slots; copied both ways, between heap and kernel, which has for
// each page that comes the memory of one that has just left, still in the caches. Where the two
// ways differ, each page is allocated on the one and freed on the other, and costs more than
// either. For the same reason a single page tells nothing about the other road: it is tried for a
// while, both ways, and the beginning counts for little.
//
//     IN USE --many pages have left, or costs have tripled--> TRIED, the other one
//       ^                                                        |
//       +------------- the cheaper one, after kTrial pages ------+
//
// Any thread; NoteOut by one at a time. Lock-free, async-signal-safe.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "runtime/swap/recent_cost.h"

namespace tandem::swap {

class RoadChoice {
 public:
  // Pages that leave, from one event to the next. Where the other road was far dearer it is tried
  // more seldom: then a trial costs as much as it can.
  static constexpr size_t kFirst = 256;
  static constexpr size_t kOften = 4096;
  static constexpr size_t kSeldom = 16384;
  static constexpr size_t kTrial = 64;

  // `move` false: this kernel, or this fabric, leaves copying only.
  explicit RoadChoice(bool move) : can_move_(move), move_(move) {}

  bool can_move() const { return can_move_; }
  bool move() const { return move_.load(std::memory_order_relaxed); }
  // A run of neighbours that comes is moved in one step, and copied page by page.
  bool MovesRun(size_t pages) const {
    const uint64_t moving = roads_[true].in.ns();
    const uint64_t copying = roads_[false].in.ns();
    if (moving == 0 || copying == 0) return move();
    return moving <= pages * copying;
  }

  // A single page has come.
  void NoteIn(bool moved, uint64_t ns) {
    Road& road = roads_[moved];
    road.in.Note(ns);
    road.came.store(road.came.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }
  // A batch has left that was no run of neighbours.
  void NoteOut(bool moved, uint64_t ns, size_t pages) {
    roads_[moved].out.Note(ns / pages, std::min<uint64_t>(1 + pages / 4, 4));
    Pace(pages);
  }
  // One that was: those are moved whatever is in use, but time has passed.
  void NoteNeighboursOut(size_t pages) { Pace(pages); }

 private:
  struct Road {
    RecentCost in;  // of a page
    RecentCost out;
    std::atomic<uint32_t> came{0};  // single pages; counts may get lost
    uint64_t cost() const { return in.ns() + out.ns(); }
  };

  // A trial in which fewer single pages come tells nothing.
  static constexpr uint32_t kEnough = 8;

  void Pace(size_t pages);

  const bool can_move_;
  // All relaxed: they publish nothing, and whoever sees a change late takes the other road once.
  std::atomic<bool> move_;
  Road roads_[2];  // by whether pages are moved

  // Of who calls NoteOut.
  bool trying_ = false;
  size_t left_ = kFirst;                  // pages, until what comes next
  size_t used_ = 0;                       // pages since the last trial
  uint32_t came_before_ = 0;              // by the road that is tried, when the trial began
  uint64_t decided_ns_ = UINT64_MAX / 4;  // cost of what is in use, when that was decided
};

}  // namespace tandem::swap
