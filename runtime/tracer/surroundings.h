// Surroundings: what an order of tracing may know of the heap, and do about its pages.
//
// Implemented over a real heap by HeapSurroundings, and by tests and the simulator over pages that
// exist on paper only. Used by one tracer; nothing here waits for a page. References are
// addresses of objects, as everywhere in the tracer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "runtime/base/backoff.h"
#include "runtime/swap/arrivals.h"
#include "runtime/tracer/access_ring.h"
#include "runtime/tracer/page_stamps.h"

namespace tandem::tracer {

enum class Whereabouts : uint8_t { kLocal, kOnItsWay, kFar };

class Surroundings {
 public:
  virtual ~Surroundings() = default;

  // --- to be looked at ---

  // The heap's range, all pages that orders will ever see.
  virtual uintptr_t base() const = 0;
  virtual size_t pages() const = 0;
  // Exact when asked, perhaps not any more when used.
  virtual Whereabouts Where(swap::PageIndex page) = 0;
  virtual bool IsMarked(uintptr_t reference) = 0;
  // How many objects begin on the page that are not marked, whether they can be reached or not.
  virtual size_t Unmarked(swap::PageIndex page) = 0;
  // What is free of the heap's limit, 0 to 1.
  virtual double FreeShare() = 0;

  swap::PageIndex PageOf(uintptr_t reference) const {
    return (reference - base()) >> base::kPageShift;
  }

  // How often local memory has been replaced so far: 0.5 once half as many pages have left it as
  // it has.
  virtual double Turnover() = 0;
  // Shared by the heap's tracers. Mutators stamp what they use while accesses are logged as
  // kObjects.
  virtual PageStamps& stamps() = 0;

  // Whether pages that were looked ahead for have been used by mutators often enough of late.
  virtual bool LookAheadPays() = 0;

  // --- to follow the mutators ---

  // Objects that mutators have used, each told of once, as far as they fit, a thread's latest at
  // the end; returns how many. What does not fit waits for the next call, for a while.
  // Which accesses are seen is for the order to say: AccessLog. Never the same tracer's own.
  virtual size_t TakeAccesses(std::span<uintptr_t> out) = 0;

  // --- to share the work ---

  // Whether there are tracers that hear of no accesses, while this one does.
  virtual bool OthersTrace() { return false; }
  // Has them trace these.
  virtual void PassOn([[maybe_unused]] std::span<const uintptr_t> references) {}

  // --- to be done ---

  // Marks the object; true if this call did, and it has references to be traced.
  virtual bool Shade(uintptr_t reference) = 0;
  // Shade comes soon: a hint to the processor's caches.
  virtual void WillShade([[maybe_unused]] uintptr_t reference) {}

  // Has far pages read, nobody waiting; returns how many from the front are dealt with.
  virtual size_t Fetch(std::span<const swap::PageIndex> pages, swap::Purpose purpose) = 0;
  // Maps what has arrived; returns how many pages.
  virtual size_t Land() = 0;
  // Lets a moment pass, in which something may arrive.
  virtual void Pause(base::Backoff& backoff) { backoff.Pause(); }
};

}  // namespace tandem::tracer
