// Order: in which order a tracer works off grey references. A strategy; the research is here.
//
// Each tracer owns one; no method is called by two threads. The same reference may be pushed more
// than once, and need not be unmarked any more when it is popped: the tracer tests the mark. An
// order keeps every reference that it was given until it pops or gives it.
//
// What a tracer does with what it pops: unless Grey::kMarked is set, test and set the mark, and
// drop what was marked or has no references; then ask Defer if the object's page is far; then
// fetch the page, if need be, and push the object's references with the object's own tag.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/base/metrics.h"
#include "runtime/tracer/access_ring.h"
#include "runtime/tracer/grey.h"
#include "runtime/tracer/surroundings.h"
#include "tandem/status.h"

namespace tandem::tracer {

// What orders count, for all tracers of a heap together (docs/metrics.md).
struct OrderMetrics {
  explicit OrderMetrics(base::Registry& r)
      : from_ring(r.GetCounter("trace.from_ring")),
        from_group(r.GetCounter("trace.from_group")),
        from_drain(r.GetCounter("trace.from_drain")),
        from_queue(r.GetCounter("trace.from_queue")),
        deferrals(r.GetCounter("trace.deferrals")),
        forced(r.GetCounter("trace.forced")),
        around_used(r.GetCounter("trace.around_used")),
        around_unused(r.GetCounter("trace.around_unused")) {}

  base::Counter& from_ring;   // popped because a mutator was near
  base::Counter& from_group;  // ... from a page that a mutator had brought in
  base::Counter& from_drain;  // ... from a page that the tracer had read for it
  base::Counter& from_queue;  // ... in their turn
  base::Counter& deferrals;
  base::Counter& forced;         // references for which the tracer had to wait for a page after all
  base::Counter& around_used;    // pages read around others, of which something was traced
  base::Counter& around_unused;  // ... and of which nothing was before they left again
};

class Order {
 public:
  virtual ~Order() = default;

  // New grey references, in the order in which the object or root set has them. `parent` is the
  // tag of the object that has them, 0 if none has.
  virtual void Push(std::span<const uintptr_t> references, Tag parent) = 0;

  // Takes out up to out.size() references that should be traced next. 0 if the order is empty, or
  // would rather wait a moment; if it waits for a page it lands what arrives.
  virtual size_t Pop(std::span<Grey> out) = 0;

  // The object, marked but not traced, is on a far page. True: it is kept, and popped again with
  // Grey::kMarked. False: the tracer shall fetch the page now.
  virtual bool Defer([[maybe_unused]] Grey grey) { return false; }

  // Takes out up to out.size() references that another tracer may have, none of them kMarked.
  virtual size_t Give(std::span<uintptr_t> out) {
    std::array<Grey, 256> greys;
    const size_t n = Pop(std::span(greys).first(std::min(out.size(), greys.size())));
    for (size_t i = 0; i < n; ++i) out[i] = greys[i].reference();
    return n;
  }

  virtual size_t size() const = 0;

  // Works off only what mutators tell of, and passes on all else (Surroundings::PassOn): its tracer
  // takes nothing from the others.
  virtual bool only_listens() const { return false; }

  virtual AccessLog access_log() const { return AccessLog::kNone; }
  // Of a mutator's accesses, so many of the newest are kept: 1 to AccessRing::kCapacity.
  virtual size_t ring_entries() const { return AccessRing::kCapacity; }
};

// Orders by name, with options behind it: `memliner,max_depth=2`. orders.cc has the table. Errors
// list what is valid. `surroundings` and `metrics` outlive the order.
StatusOr<std::unique_ptr<Order>> MakeOrder(std::string_view spec, Surroundings& surroundings,
                                           OrderMetrics& metrics);

struct OrderDescription {
  std::string name;
  std::string summary;
};
std::vector<OrderDescription> ListOrders();

}  // namespace tandem::tracer
