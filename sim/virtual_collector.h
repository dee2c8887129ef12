// VirtualCollector: the collector of the simulator, with one tracer and the order under test.
//
// A cycle is that of runtime/tracer (collector.h): a snapshot at the beginning, marking while the
// application goes on, stores logged, a sweep. The tracer does with its order what tracer.cc does:
// the same batches, the same queue of marked objects, the same read-ahead of large ones. What is
// left out: handshakes and sweeping take no time; weak references are not known, so their targets
// live as long as in the run that was recorded; the heap is swept at once.
//
// One thread; a unit of work at each Step, on the collector's own clock.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "runtime/base/metrics.h"
#include "runtime/tracer/access_ring.h"
#include "runtime/tracer/collector.h"
#include "runtime/tracer/look_ahead.h"
#include "runtime/tracer/order.h"
#include "sim/costs.h"
#include "sim/object_graph.h"
#include "sim/virtual_pager.h"

namespace tandem::sim {

class VirtualCollector final : private tracer::Surroundings {
 public:
  // The others outlive it.
  static StatusOr<std::unique_ptr<VirtualCollector>> Create(const std::string& order,
                                                            const Costs& costs, uint64_t heap_bytes,
                                                            ObjectGraph& graph, VirtualPager& pager,
                                                            base::Registry& registry);

  // --- the application ---

  bool running() const { return running_; }
  // A cycle begins; none is running.
  void Begin(std::span<const Granule> roots, uint64_t now_ns);
  void AddRoots(std::span<const Granule> roots);
  // What objects that are born now are marked in.
  uint32_t birth_mark() const { return running_ ? cycle_ : 0; }
  void NoteAccess(Granule object);
  void NoteStore(Granule object, Granule old_target, Granule new_target);
  void NoteStall(uint64_t ns) { metrics_.stalls.Record(ns); }

  // --- the clock ---

  uint64_t clock_ns() const { return clock_ns_; }
  // Does a unit of work; the pager has been advanced to clock_ns().
  void Step();

 private:
  static constexpr size_t kBatch = 16;
  static constexpr size_t kAhead = 32;

  VirtualCollector(const Costs& costs, uint64_t heap_bytes, ObjectGraph& graph, VirtualPager& pager,
                   base::Registry& registry, tracer::PageStamps stamps);

  // Surroundings
  uintptr_t base() const override { return pager_.table().base(); }
  size_t pages() const override { return pager_.table().pages(); }
  tracer::Whereabouts Where(PageIndex page) override;
  bool IsMarked(uintptr_t reference) override;
  size_t Unmarked(PageIndex page) override;
  double FreeShare() override;
  double Turnover() override;
  tracer::PageStamps& stamps() override { return stamps_; }
  bool LookAheadPays() override;
  size_t TakeAccesses(std::span<uintptr_t> out) override { return accesses_.Take(out); }
  bool Shade(uintptr_t reference) override;
  size_t Fetch(std::span<const PageIndex> pages, swap::Purpose purpose) override;
  size_t Land() override;
  void Pause(base::Backoff&) override {}  // Step moves the clock on

  uintptr_t ReferenceTo(Granule granule) const {
    return base() + granule * heap::kGranuleBytes + internal::kHeaderBytes;
  }
  Granule GranuleOf(uintptr_t reference) const {
    return (reference - base()) / heap::kGranuleBytes;
  }
  // Null if there is no such object.
  Object* ObjectAt(Granule granule);
  bool Mark(Object& object);

  void MarkBatch();
  void StartTracing(tracer::Grey grey);
  void GoOnTracing();
  void ReadAhead(PageIndex at);
  void PushEdges();
  void EndRound();
  void EndCycle();

  const Costs costs_;
  const uint64_t heap_bytes_;
  ObjectGraph& graph_;
  VirtualPager& pager_;
  tracer::CollectorMetrics metrics_;
  tracer::OrderMetrics order_metrics_;
  std::unique_ptr<tracer::Order> order_;
  tracer::AccessRing accesses_;
  tracer::PageStamps stamps_;
  tracer::LookAheadJudge look_ahead_;

  bool running_ = false;
  uint32_t cycle_ = 0;
  uint64_t started_ns_ = 0;
  uint64_t clock_ns_ = 0;
  tracer::AccessLog access_log_ = tracer::AccessLog::kNone;
  std::vector<std::vector<uintptr_t>> pool_;
  std::vector<uintptr_t> log_;        // of stores
  std::vector<tracer::Grey> marked_;  // the rest of a batch, the last one first
  std::deque<tracer::Grey> ahead_;

  // The object that is being traced.
  bool tracing_ = false;
  Granule traced_ = 0;
  tracer::Tag parent_ = 0;
  PageIndex next_page_ = 0;   // of it
  PageIndex read_ahead_ = 0;  // of a large one: pages below are asked for
  VirtualPager::Wait wait_;
  std::vector<uintptr_t> edges_;
  size_t landed_seen_ = 0;
};

}  // namespace tandem::sim
