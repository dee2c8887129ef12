// Verifier: a second, slow and simple trace, to check the first one by. A mode for testing.
//
// Once marking has ended and before sweeping, whatever mutators can reach must be marked: it was
// reachable in the snapshot, or was allocated since. So everything reachable now is walked, from
// the same roots, and an unmarked object ends the process. Runs on the collector's thread, with
// mutators running; touches every page.
#pragma once

#include <cstdint>
#include <iterator>
#include <unordered_set>
#include <vector>

#include "runtime/base/check.h"
#include "runtime/heap/space.h"
#include "runtime/swap/port.h"
#include "tandem/visitor.h"

namespace tandem::tracer {

class Verifier final : public Visitor {
 public:
  Verifier(heap::Space& space, swap::Port& port) : space_(space), port_(port) {
    UseBuffer(edges_, edges_ + std::size(edges_));
  }

  // A reference that is certain: its target must be marked.
  void AddRoot(uintptr_t reference) { Visit(reference); }
  // An object that a stack may refer to; one that is not marked is no more than old litter.
  void AddStackObject(uintptr_t object) {
    if (space_.tables.IsMarked(object)) Visit(object + internal::kHeaderBytes);
  }

  // Walks all that is reachable; returns the number of objects.
  uint64_t Run() {
    while (!pending_.empty()) {
      const uintptr_t reference = pending_.back();
      pending_.pop_back();
      const uintptr_t object = heap::HeaderOf(reference);
      if (heap::IsLeaf(space_.blocks.KindAt(object))) continue;
      space_.pager.MakeLocal(space_.PageOf(object), port_, swap::Cause::kCollector);
      const auto header =
          __atomic_load_n(reinterpret_cast<const internal::Header*>(object), __ATOMIC_ACQUIRE);
      const internal::TypeInfo* type = internal::TypeOfHeader(header);
      if (type == nullptr) continue;
      cursor_ = edges_;
      type->trace(reinterpret_cast<const void*>(reference), this);
      Overflow();
    }
    return seen_.size();
  }

 private:
  void Overflow() override {
    for (const uintptr_t* e = edges_; e != cursor_; ++e) Visit(*e);
    cursor_ = edges_;
  }
  void AddWeak(const std::atomic<uintptr_t>*, uintptr_t) override {}

  void Visit(uintptr_t reference) {
    const uintptr_t object = heap::HeaderOf(reference);
    TANDEM_CHECK(space_.blocks.Contains(object), "verifier: a reference leads out of the heap");
    TANDEM_CHECK(space_.tables.IsStart(object), "verifier: a reference to no object");
    TANDEM_CHECK(space_.tables.IsMarked(object), "verifier: a reachable object is not marked");
    if (seen_.insert(object).second) pending_.push_back(reference);
  }

  heap::Space& space_;
  swap::Port& port_;
  uintptr_t edges_[64];
  std::unordered_set<uintptr_t> seen_;
  std::vector<uintptr_t> pending_;
};

}  // namespace tandem::tracer
