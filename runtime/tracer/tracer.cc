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
    for (size_t i = 0; i < n; ++i) {
      TANDEM_DCHECK(space_.blocks.Contains(batch[i]), "a reference leads out of its heap");
      space_.tables.PrefetchMark(heap::HeaderOf(batch[i]));
    }
    for (size_t i = 0; i < n; ++i) MarkObject(batch[i]);
    if (rounds % 16 == 0 && pool_.SomebodyIsIdle()) Share();
  }
  while (!ahead_.empty()) TraceObject(ahead_.pop());
}

void Tracer::MarkObject(uintptr_t reference) {
  const uintptr_t object = heap::HeaderOf(reference);
  if (!space_.tables.Mark(object)) return;
  ++marked_;
  TANDEM_DCHECK(space_.tables.IsStart(object),
                "a reference does not point to the start of an object");
  if (heap::IsLeaf(space_.blocks.KindAt(object))) return;
  __builtin_prefetch(reinterpret_cast<const void*>(object));  // of a far page: does nothing
  if (ahead_.full()) TraceObject(ahead_.pop());
  ahead_.push(reference);
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
