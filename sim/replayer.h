// Replayer: the application of the simulator: does what a sequence of events says.
//
// Threads of a recording take turns on one clock, in the order in which they were recorded; each
// has a prefetcher of its own. Where the recorded run had to wait for a cycle, and where the
// simulated one must (memory is to be used again that its cycle has not freed yet, or the next
// cycle is to begin), the application waits.
//
// One thread; an event, or the part of one that needs no waiting, at each Step.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "runtime/prefetch/early_reader.h"
#include "runtime/prefetch/throttle.h"
#include "runtime/record/event.h"
#include "sim/costs.h"
#include "sim/object_graph.h"
#include "sim/virtual_collector.h"
#include "sim/virtual_pager.h"

namespace tandem::sim {

class Replayer {
 public:
  // The others outlive it; `prefetcher` is a name that is known.
  Replayer(record::EventSource& source, const Costs& costs, std::string prefetcher,
           prefetch::Throttle& throttle, ObjectGraph& graph, VirtualPager& pager,
           VirtualCollector& collector);

  uint64_t clock_ns() const { return clock_ns_; }
  uint64_t events() const { return events_; }
  bool done() const { return done_; }
  // Only the end of the cycle lets it go on.
  bool waits_for_cycle() const { return waits_for_cycle_; }
  void CycleEnded(uint64_t now_ns);

  // The pager has been advanced to clock_ns(). An error is the source's.
  Status Step();

 private:
  bool Perform();
  bool Access();
  bool Birth();
  bool Store();
  bool Range();
  bool WaitForCycle(bool is_stall);
  bool Need(PageIndex page);
  void TurnTo(uint64_t thread);

  record::EventSource& source_;
  const Costs costs_;
  const std::string prefetcher_;
  prefetch::Throttle& throttle_;
  ObjectGraph& graph_;
  VirtualPager& pager_;
  VirtualCollector& collector_;

  std::vector<std::unique_ptr<swap::AccessObserver>> observers_;  // by thread
  size_t thread_ = 0;
  uint64_t clock_ns_ = 0;
  uint64_t events_ = 0;
  bool done_ = false;
  bool waits_for_cycle_ = false;
  bool is_stall_ = false;

  record::Event event_;
  bool begun_ = false;   // the event is under way
  bool slow_ = false;    // the access did not find its page local and touched
  PageIndex next_ = 0;   // page of the event
  PageIndex ahead_ = 0;  // of a range: pages below it are on their way
  VirtualPager::Wait wait_;
  PageIndex last_birth_ = UINT64_MAX;  // the page of it
};

}  // namespace tandem::sim
