// LineupOrder: traces in tandem with the mutators. Never waits for a page that it could wait with.
//
//   pushed --> STACK (small, newest first) --popped, marked--> traced, if its page is local
//                |overflow, marked                   |far: Defer
//                v                                   v
//              GROUPS (by page, in side bitmaps) <---+
//                |a mutator touched or fetched the page        -> READY --> traced
//                |nothing else to do: read, many at once       -> IN FLIGHT --arrived--> READY
//
// 1. What is local is traced first, newest first, as `lifo` does.
// 2. An object on a far page is marked and waits in its page's group. So a page is needed once for
//    all that is known to be on it, not once an object.
// 3. A mutator's touch of a page makes its group ready. The object that it used is explored a few
//    hops ahead: children on local pages are traced now, far ones become prefetches.
// 4. When nothing local is left, groups are drained in address order, with many reads in flight, in
//    the trace lane, into frames that are the first to leave again. With room left for more reads,
//    pages around those are read as well (read_around.h).
//
// Until a page has left local memory for the first time, this is `lifo` with a bounded stack.
//
// Memory: the stack and the explored are bounded; what is beyond lives in the side bitmaps.
//
// Ends: every grey is in the stack, in a group, among the explored or in the tracer's hands. A
// pass over the groups takes each occupied page once; if nothing moves for long, because reads
// fail, find no frame or do not come back, or a page is being written to a server that is lost, a
// group is handed out all the same and the tracer waits for its page (`trace.forced`). So each pass
// empties at least one group, and only unmarked objects, of which there are finitely many, make
// groups grow.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "runtime/base/backoff.h"
#include "runtime/tracer/order.h"
#include "runtime/tracer/page_groups.h"
#include "runtime/tracer/read_around.h"

namespace tandem::tracer {

struct LineupOptions {
  // Hops explored from an object that a mutator used.
  uint64_t max_depth = 3;
  // Reads in flight for the groups that are drained.
  uint64_t window = 32;
  // References on the stack before its older half is grouped.
  uint64_t stack = 32768;
  // Pages read to either side of one that is needed, at most, while there is room.
  uint64_t around = 32;
  // 1: mutators tell of each object that they use, as `memliner` has them, instead of each page.
  uint64_t objects = 0;
};

class LineupOrder final : public Order {
 public:
  using Options = LineupOptions;

  LineupOrder(const Options& options, Surroundings& surroundings, OrderMetrics& metrics,
              PageGroups groups)
      : options_(options),
        surroundings_(surroundings),
        metrics_(metrics),
        groups_(std::move(groups)),
        around_(options.around, surroundings, metrics) {}

  void Push(std::span<const uintptr_t> references, Tag parent) override;
  size_t Pop(std::span<Grey> out) override;
  bool Defer(Grey grey) override;
  size_t Give(std::span<uintptr_t> out) override;
  size_t size() const override {
    return stack_.size() + explored_.size() + hand_.size() + groups_.occupied_pages();
  }
  AccessLog access_log() const override {
    if (NothingIsFar()) return AccessLog::kNone;
    return options_.objects != 0 ? AccessLog::kObjects : AccessLog::kPages;
  }

 private:
  bool NothingIsFar() const { return surroundings_.Turnover() == 0; }
  // The usual case, and the only one while nothing is far.
  bool OnlyTheStack() const {
    return explored_.empty() && hand_.empty() && ready_.empty() && wanted_.empty() &&
           !stack_.empty();
  }
  void Spill();
  size_t PopStack(std::span<Grey> out);
  size_t LookAround(std::span<Grey> out);
  size_t TakeNext(std::span<Grey> out);
  void FollowMutators();
  void TakeReady();
  void Drain();
  void PostReads();
  void TakeGroup(swap::PageIndex page, Tag tag, base::Counter& source);

  const Options options_;
  Surroundings& surroundings_;
  OrderMetrics& metrics_;
  PageGroups groups_;
  std::vector<uintptr_t> stack_;
  std::vector<Grey> explored_;           // the tag: 1 + hops from what a mutator used
  std::vector<Grey> hand_;               // groups that are being popped: marked
  std::vector<swap::PageIndex> ready_;   // pages whose group may be traced now
  std::vector<swap::PageIndex> wanted_;  // far pages near a mutator
  std::vector<swap::PageIndex> in_flight_;
  swap::PageIndex cursor_ = 0;  // where the drain goes on
  uint64_t depth_ = 0;          // hops explored at present
  size_t popped_ = 0;           // since mutators were last followed
  uint64_t from_queue_ = 0;     // of these, and not counted yet: a chain is popped one by one
  ReadAround around_;
  uint32_t setbacks_ = 0;  // since something was last drained
  base::Backoff pause_;
};

}  // namespace tandem::tracer
