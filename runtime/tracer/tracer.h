// Tracer: marks what is reachable from the grey references in its order and in the pool.
//
// Belongs to one collector thread. Per reference: test and set the mark, in a side table, without
// touching the object's page; a leaf is done with that; of any other object the page is made
// local (a demand fetch of the collector's, unless its order would rather wait) and its Trace
// method run; further pages of a large object are read ahead of it. Marking is bound by memory
// latency, so marks are prefetched for a batch of references, and what proves unmarked waits in a
// short queue while its header is prefetched.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "runtime/heap/space.h"
#include "runtime/swap/port.h"
#include "runtime/tracer/grey_pool.h"
#include "runtime/tracer/heap_surroundings.h"
#include "runtime/tracer/order.h"
#include "tandem/visitor.h"

namespace tandem::tracer {

struct WeakSlot {
  std::atomic<uintptr_t>* slot;
  uintptr_t target;
};

class Tracer final : public Visitor {
 public:
  Tracer(heap::Space& space, GreyPool& pool, std::unique_ptr<HeapSurroundings> surroundings,
         std::unique_ptr<Order> order, std::unique_ptr<swap::Port> port)
      : space_(space),
        pool_(pool),
        surroundings_(std::move(surroundings)),
        order_(std::move(order)),
        port_(std::move(port)) {
    UseBuffer(edges_.data(), edges_.data() + edges_.size());
  }

  // Traces until all tracers of the pool's session are idle and nothing is left. Call on the
  // tracer's own thread, which must be bound to the pager with port().
  void Run();
  // Traces about `objects` objects, alone; false when nothing is left.
  bool Step(size_t objects);

  // The tracer's own thread, or nobody's while it is idle.
  void Push(uintptr_t reference) { order_->Push({&reference, 1}, 0); }
  swap::Port& port() { return *port_; }
  const Order& order() const { return *order_; }
  uint64_t references_found() const { return references_; }
  uint64_t objects_marked() const { return marked_ + surroundings_->shaded(); }
  // The weak references met since the last call whose targets were not marked then.
  std::vector<WeakSlot> TakeWeakSlots() { return std::exchange(weak_, {}); }

 private:
  // References whose marks are prefetched together.
  static constexpr size_t kBatch = 16;

  // Marked references on their way to being traced; first in, first out.
  class Ahead {
   public:
    bool empty() const { return head_ == tail_; }
    bool full() const { return tail_ - head_ == kSize; }
    void push(Grey grey) { ring_[tail_++ % kSize] = grey; }
    Grey pop() { return ring_[head_++ % kSize]; }

   private:
    static constexpr size_t kSize = 32;
    std::array<Grey, kSize> ring_;
    size_t head_ = 0;
    size_t tail_ = 0;
  };

  void Overflow() override;
  void AddWeak(const std::atomic<uintptr_t>* slot, uintptr_t target) override;

  void Drain(size_t budget);
  void MarkBatch(std::span<Grey> greys);
  void TraceObject(Grey grey);
  void BeginLarge(uintptr_t object);
  void ReadAhead();
  void Share();

  heap::Space& space_;
  GreyPool& pool_;
  std::unique_ptr<HeapSurroundings> surroundings_;
  std::unique_ptr<Order> order_;
  std::unique_ptr<swap::Port> port_;
  Ahead ahead_;
  std::array<uintptr_t, 256> edges_;
  Tag parent_ = 0;  // of the object that is being traced
  // Of an object of several pages that is being traced: where its trace function is by now, if it
  // goes through the references one after the other, and which of its pages to read next.
  uintptr_t large_at_ = 0;
  swap::PageIndex large_next_ = 0;
  swap::PageIndex large_end_ = 0;  // 0: it is not large
  std::vector<WeakSlot> weak_;
  uint64_t marked_ = 0;
  uint64_t references_ = 0;
};

}  // namespace tandem::tracer
