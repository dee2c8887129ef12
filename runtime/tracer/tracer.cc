#include "runtime/tracer/tracer.h"

#include "runtime/base/check.h"

namespace tandem::tracer {
namespace {

constexpr size_t kShareAbove = 128;  // references that a tracer keeps rather than share
constexpr size_t kShareBatch = 256;
constexpr size_t kReadAhead = 32;  // pages of a large object

}  // namespace

void Tracer::Run() {
  while (true) {
    Drain(SIZE_MAX);
    if (order_->only_listens()) {
      if (pool_.Rest()) return;
      continue;
    }
    GreyBatch batch = pool_.Get();
    if (batch.empty()) return;
    order_->Push(batch, 0);
  }
}

bool Tracer::Step(size_t objects) {
  const uint64_t before = objects_marked();
  while (objects_marked() - before < objects) {
    Drain(objects - (objects_marked() - before));
    if (order_->size() > 0) continue;
    GreyBatch batch = pool_.TryGet();
    if (batch.empty()) return false;
    order_->Push(batch, 0);
  }
  return true;
}

void Tracer::Drain(size_t budget) {
  std::array<Grey, kBatch> batch;
  const uint64_t before = objects_marked();
  for (unsigned rounds = 1; objects_marked() - before < budget; ++rounds) {
    const size_t n = order_->Pop(batch);
    if (n == 0) {
      if (!ahead_.empty()) {
        TraceObject(ahead_.pop());  // may push more
      } else if (order_->size() == 0) {
        return;
      }
      continue;
    }
    MarkBatch({batch.data(), n});
    if (rounds % 16 == 0 && pool_.SomebodyIsIdle()) Share();
  }
  while (!ahead_.empty()) TraceObject(ahead_.pop());
}

// In passes, each of which keeps many cache misses in flight: an atomic operation between two
// prefetches would have each wait for the one before.
void Tracer::MarkBatch(std::span<Grey> greys) {
  for (const Grey grey : greys) {
    TANDEM_DCHECK(space_.blocks.Contains(grey.reference()), "a reference leads out of its heap");
    space_.tables.PrefetchMark(heap::HeaderOf(grey.reference()));
  }
  size_t to_trace = 0;
  for (const Grey grey : greys) {
    const uintptr_t object = heap::HeaderOf(grey.reference());
    if (grey.marked()) {
      greys[to_trace++] = grey;
      continue;
    }
    if (!space_.tables.Mark(object)) continue;
    ++marked_;
    TANDEM_DCHECK(space_.tables.IsStart(object),
                  "a reference does not point to the start of an object");
    if (!heap::IsLeaf(space_.blocks.KindAt(object))) greys[to_trace++] = grey;
  }
  greys = greys.first(to_trace);
  for (const Grey grey : greys) {
    // Of a far page: does nothing.
    __builtin_prefetch(reinterpret_cast<const void*>(heap::HeaderOf(grey.reference())));
  }
  for (const Grey grey : greys) {
    if (ahead_.full()) TraceObject(ahead_.pop());
    ahead_.push(grey);
  }
}

void Tracer::TraceObject(Grey grey) {
  const uintptr_t object = heap::HeaderOf(grey.reference());
  const swap::PageIndex page = space_.PageOf(object);
  if (!space_.pager.IsLocal(page)) {
    if (order_->Defer(grey)) return;
    space_.pager.MakeLocal(page, *port_, swap::Cause::kCollector);
  }
  // Acquire: pairs with the allocating thread's release.
  const auto header =
      __atomic_load_n(reinterpret_cast<const internal::Header*>(object), __ATOMIC_ACQUIRE);
  const internal::TypeInfo* type = internal::TypeOfHeader(header);
  if (type == nullptr) return;  // being born: it has no references yet
  cursor_ = edges_.data();
  parent_ = grey.tag();
  if (!internal::IsSmallHeader(header)) BeginLarge(object);
  type->trace(reinterpret_cast<const void*>(grey.reference()), this);
  large_end_ = 0;
  if (cursor_ != edges_.data()) Overflow();
}

void Tracer::BeginLarge(uintptr_t object) {
  constexpr int kPageGranules = base::kPageShift - heap::kGranuleShift;
  const heap::SideTables& tables = space_.tables;
  const size_t limit = space_.pager.table().used() << kPageGranules;
  const size_t last = tables.FindEnd(tables.GranuleOf(object), limit);
  if (last == SIZE_MAX) return;  // being born
  large_at_ = object;
  large_next_ = space_.PageOf(object) + 1;
  large_end_ = (last >> kPageGranules) + 1;
  ReadAhead();
}

void Tracer::ReadAhead() {
  const swap::PageIndex goal = std::min(large_end_, space_.PageOf(large_at_) + kReadAhead);
  // A good many at once, or the last ones.
  if (goal < large_next_ + kReadAhead / 2 && goal != large_end_) return;
  std::array<swap::PageIndex, kReadAhead> pages;
  size_t n = 0;
  for (auto page = large_next_; page < goal && n < pages.size(); ++page) pages[n++] = page;
  if (n == 0) return;
  large_next_ += space_.pager.arrivals().Post({pages.data(), n}, swap::Purpose::kTrace);
}

void Tracer::Overflow() {
  if (large_end_ != 0) {
    large_at_ += sizeof(uintptr_t) * static_cast<size_t>(cursor_ - edges_.data());
    ReadAhead();
  }
  references_ += static_cast<uint64_t>(cursor_ - edges_.data());
  order_->Push({edges_.data(), cursor_}, parent_);
  cursor_ = edges_.data();
}

void Tracer::AddWeak(const std::atomic<uintptr_t>* slot, uintptr_t target) {
  if (target == 0 || space_.tables.IsMarked(heap::HeaderOf(target))) return;
  weak_.push_back({const_cast<std::atomic<uintptr_t>*>(slot), target});
}

void Tracer::Share() {
  if (order_->size() < kShareAbove) return;
  GreyBatch batch(std::min(kShareBatch, order_->size() / 2));
  batch.resize(order_->Give(batch));
  pool_.Add(std::move(batch));
}

}  // namespace tandem::tracer
