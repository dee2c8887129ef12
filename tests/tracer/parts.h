// The parts that a collector needs, put together without the API above it.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "rdma/fabric.h"
#include "runtime/heap/block_pool.h"
#include "runtime/heap/finalizers.h"
#include "runtime/heap/roots.h"
#include "runtime/heap/space.h"
#include "runtime/swap/pager.h"
#include "runtime/tracer/collector.h"
#include "runtime/tracer/mutator_thread.h"
#include "tandem/member.h"

namespace tandem::tracer::testing {

// A cell of two references, as the tests allocate them.
struct Cell {
  std::atomic<uintptr_t> references[2];
};

inline void TraceCell(const void* object, Visitor* visitor) {
  // A Member is no more than such a word, but its barriers are a floor above.
  visitor->TraceRange(static_cast<const Member<Cell>*>(object), 2);
}

inline constexpr internal::TypeInfo kCellType{"cell", &TraceCell, nullptr};

struct Parts {
  explicit Parts(CollectorOptions options = {.automatic = false, .verify = true}) {
    swap::PagerOptions pages;
    pages.heap_bytes = 16 << 20;
    pages.local_pages = 8192;
    fabric = std::move(rdma::Fabric::Open("emulated:none").value());
    pager = std::move(swap::Pager::Create(std::move(pages), *fabric, registry).value());
    space = std::make_unique<heap::Space>(std::move(heap::Space::Create(*pager).value()));
    pool = std::make_unique<heap::BlockPool>(*space);
    collector = std::move(
        Collector::Create(std::move(options), *space, *pool, roots, finalizers, registry).value());
  }

  base::Registry registry;
  std::unique_ptr<rdma::Fabric> fabric;
  std::unique_ptr<swap::Pager> pager;
  std::unique_ptr<heap::Space> space;
  std::unique_ptr<heap::BlockPool> pool;
  heap::Roots roots;
  heap::Finalizers finalizers;
  std::unique_ptr<Collector> collector;
};

// An attached thread; constructed, used and destroyed by it.
class Attached {
 public:
  explicit Attached(Parts& parts)
      : parts_(parts),
        thread_(*parts.collector, *parts.space, *parts.pool,
                std::move(parts.pager->OpenPort().value()), regions_) {
    parts_.collector->handshakes().Join(thread_);
  }
  ~Attached() { parts_.collector->handshakes().Leave(thread_); }

  MutatorThread& thread() { return thread_; }

  // A reference to a new cell.
  uintptr_t NewCell() {
    const size_t bytes = internal::ObjectBytes(sizeof(Cell));
    const uintptr_t object =
        thread_.allocator().AllocateOverflow(false, bytes, heap::Effort::kLastResort).value();
    parts_.space->tables.AddObject(object, bytes);
    __atomic_store_n(reinterpret_cast<internal::Header*>(object),
                     internal::MakeHeader(&kCellType, bytes), __ATOMIC_RELEASE);
    return object + internal::kHeaderBytes;
  }

 private:
  Parts& parts_;
  internal::AllocationRegion regions_[2];
  MutatorThread thread_;
};

inline Cell& AsCell(uintptr_t reference) { return *reinterpret_cast<Cell*>(reference); }

}  // namespace tandem::tracer::testing
