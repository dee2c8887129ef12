// RoadChoice: whether single pages come and leave by being copied or by being moved (Mapper and
// Unmapper tell what that means), whichever costs less of late.
//
// It is one choice for both ways, by what coming and leaving cost together. Moved both ways, pages
// go in circles between heap and slots; copied both ways, between heap and kernel, which has for
// each page that comes the memory of one that has just left, still in the caches. Where the two
// ways differ, each page is allocated on the one and freed on the other, and costs more than
// either. For the same reason a single page tells nothing about the other road: it is tried for a
// while, both ways, and the beginning does not count.
//
//     IN USE --many pages have left--> WARM UP ------> TRIAL
//       ^ ^                               |              |
//       | +--far dearer: as before--------+--------------+
//       +--the cheaper one; copying if too few came------+
//
// Copying is the rule, from the first page on: what moving costs the threads that it interrupts is
// not seen here, and where several run a page that is moved costs twenty times as much. So moving
// has to be cheaper by an eighth, a trial ends as soon as it has cost too much, and moving is left
// as soon as it has become far dearer than copying last was. A program whose pages all come in runs
// copies single ones, and moves long runs: too few come singly to tell.
//
// Any thread; NoteOut by one at a time. Lock-free, async-signal-safe.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace tandem::swap {

class RoadChoice {
 public:
  // Pages that leave, from one trial to the next. Where the other road was far dearer it is tried
  // more seldom.
  static constexpr size_t kOften = 4096;
  static constexpr size_t kSeldom = 16384;
  static constexpr size_t kWindow = 256;  // pages that leave, of which costs in use are a mean
  static constexpr size_t kWarmUp = 32;
  static constexpr size_t kTrial = 64;
  static constexpr size_t kLongRun = 8;  // is moved as long as nothing is known

  // `can_move` false: this kernel, or this fabric, leaves copying only.
  explicit RoadChoice(bool can_move) : can_move_(can_move) {}

  bool can_move() const { return can_move_; }
  bool move() const { return move_.load(std::memory_order_relaxed); }
  // A run of neighbours that comes is moved in one step, and copied page by page.
  bool MovesRun(size_t pages) const {
    const uint64_t moving = known_[true].in.load(std::memory_order_relaxed);
    const uint64_t copying = known_[false].in.load(std::memory_order_relaxed);
    if (moving == 0 || copying == 0) return can_move_ && pages >= kLongRun;
    return Pays(moving, pages * copying);
  }

  // A single page has come.
  void NoteIn(bool moved, uint64_t ns) {
    if (moved == move()) in_.Add(ns, 1);
  }
  // A batch has left, and not as neighbours.
  void NoteOut(bool moved, uint64_t ns, size_t pages) {
    if (moved == move()) out_.Add(ns, pages);
    Pace(pages);
  }
  // As neighbours, in one run or two: moved whatever is in use, but time has passed.
  void NoteNeighboursOut(size_t pages) { Pace(pages); }

 private:
  enum class Stage { kInUse, kWarmUp, kTrial };

  // All atomics are relaxed: they publish nothing, and whoever sees a change late takes the other
  // road once, or has a page counted for it.
  struct Sum {
    // What takes longer is a thread that has lost its processor.
    static constexpr uint64_t kMostNs = 100'000;  // of a batch, or a page
    static constexpr uint64_t kMostEachNs = 40'000;
    void Add(uint64_t cost_ns, size_t n) {
      ns.fetch_add(std::min(cost_ns, std::max(kMostNs, n * kMostEachNs)),
                   std::memory_order_relaxed);
      pages.fetch_add(n, std::memory_order_relaxed);
    }
    uint64_t Ns() const { return ns.load(std::memory_order_relaxed); }
    uint64_t Pages() const { return pages.load(std::memory_order_relaxed); }
    void Clear() {
      ns.store(0, std::memory_order_relaxed);
      pages.store(0, std::memory_order_relaxed);
    }
    std::atomic<uint64_t> ns{0};
    std::atomic<uint64_t> pages{0};
  };
  // What a page cost when a road was last in use or tried; 0: not known.
  struct Cost {
    uint64_t both() const { return in.load(std::memory_order_relaxed) + out; }
    std::atomic<uint64_t> in{0};
    uint64_t out = 0;
  };

  // A mean of fewer single pages that came tells nothing.
  static constexpr uint64_t kEnough = 16;
  // A trial in which so many have left, and fewer came, ends without a result.
  static constexpr size_t kLongest = 4 * kTrial;

  static bool Pays(uint64_t moving, uint64_t copying) { return 8 * moving < 7 * copying; }
  void Pace(size_t pages);
  void Learn();
  bool TrialIsDear() const;
  void Begin(Stage stage, bool move);
  void Settle(bool move, size_t until_next);

  const bool can_move_;
  std::atomic<bool> move_{false};
  Sum in_, out_;   // of the road in use, or tried, since this stage or window began
  Cost known_[2];  // by whether pages are moved

  // Of who calls NoteOut.
  Stage stage_ = Stage::kInUse;
  size_t until_trial_ = 0;  // pages that have to leave
};

}  // namespace tandem::swap
