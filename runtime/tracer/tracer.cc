#include "runtime/tracer/tracer.h"

#include "runtime/base/check.h"

namespace tandem::tracer {
namespace {

constexpr size_t kShareAbove = 128;  // references that a tracer keeps rather than share
constexpr size_t kShareBatch = 256;

}  // namespace

void Tracer::Run() {
  while (true) {
    Drain(SIZE_MAX);
    GreyBatch batch = pool_.Get();
    if (batch.empty()) return;
    order_->Push(batch);
  }
}

bool Tracer::Step(size_t objects) {
  const uint64_t goal = objects > SIZE_MAX - marked_ ? SIZE_MAX : marked_ + objects;
  while (marked_ < goal) {
    Drain(goal - marked_);
    if (order_->size() > 0) continue;
    GreyBatch batch = pool_.TryGet();
    if (batch.empty()) return false;
    order_->Push(batch);
  }
  return true;
}

void Tracer::Drain(size_t budget) {
  std::array<uintptr_t, kBatch> batch;
  const uint64_t goal = budget > SIZE_MAX - marked_ ? SIZE_MAX : marked_ + budget;
  for (unsigned rounds = 1; marked_ < goal; ++rounds) {
    const size_t n = order_->Pop(batch);
    if (n == 0) {
      if (ahead_.empty()) return;
      TraceObject(ahead_.pop());  // may push more
      continue;
    }
    MarkBatch({batch.data(), n});
    if (rounds % 16 == 0 && pool_.SomebodyIsIdle()) Share();
  }
  while (!ahead_.empty()) TraceObject(ahead_.pop());
}

// In passes, each of which keeps many cache misses in flight: an atomic operation between two
// prefetches would have each wait for the one before.
void Tracer::MarkBatch(std::span<uintptr_t> references) {
  for (const uintptr_t reference : references) {
    TANDEM_DCHECK(space_.blocks.Contains(reference), "a reference leads out of its heap");
    space_.tables.PrefetchMark(heap::HeaderOf(reference));
  }
  size_t to_trace = 0;
  for (const uintptr_t reference : references) {
    const uintptr_t object = heap::HeaderOf(reference);
    if (!space_.tables.Mark(object)) continue;
    ++marked_;
    TANDEM_DCHECK(space_.tables.IsStart(object),
                  "a reference does not point to the start of an object");
    if (!heap::IsLeaf(space_.blocks.KindAt(object))) references[to_trace++] = reference;
  }
  references = references.first(to_trace);
  for (const uintptr_t reference : references) {
    // Of a far page: does nothing.
    __builtin_prefetch(reinterpret_cast<const void*>(heap::HeaderOf(reference)));
  }
  for (const uintptr_t reference : references) {
    if (ahead_.full()) TraceObject(ahead_.pop());
    ahead_.push(reference);
  }
}

void Tracer::TraceObject(uintptr_t reference) {
  const uintptr_t object = heap::HeaderOf(reference);
  const swap::PageIndex page = space_.PageOf(object);
  if (!space_.pager.IsLocal(page)) space_.pager.MakeLocal(page, *port_, swap::Cause::kCollector);
  // Acquire: pairs with the allocating thread's release.
  const auto header =
      __atomic_load_n(reinterpret_cast<const internal::Header*>(object), __ATOMIC_ACQUIRE);
  const internal::TypeInfo* type = internal::TypeOfHeader(header);
  if (type == nullptr) return;  // being born: it has no references yet
  cursor_ = edges_.data();
  type->trace(reinterpret_cast<const void*>(reference), this);
  if (cursor_ != edges_.data()) Overflow();
}

void Tracer::Overflow() {
  order_->Push({edges_.data(), cursor_});
  cursor_ = edges_.data();
}

void Tracer::AddWeak(const std::atomic<uintptr_t>* slot, uintptr_t target) {
  if (target == 0 || space_.tables.IsMarked(heap::HeaderOf(target))) return;
  weak_.push_back({const_cast<std::atomic<uintptr_t>*>(slot), target});
}

void Tracer::Share() {
  if (order_->size() < kShareAbove) return;
  GreyBatch batch(std::min(kShareBatch, order_->size() / 2));
  batch.resize(order_->Pop(batch));
  pool_.Add(std::move(batch));
}

}  // namespace tandem::tracer
