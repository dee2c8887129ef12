// Example: a queue that is longer than local memory. What goes in must come out in order.
#include <memory>
#include <string>

#include "tandem/tandem.hpp"
#include "workloads/workload.h"

namespace tandem::workloads {
namespace {

struct Item : GarbageCollected<Item> {
  explicit Item(uint64_t n) : number(n) {}
  void Trace(Visitor* visitor) const { visitor->Trace(next); }
  Member<Item> next;
  const uint64_t number;
};

class Queue : public Workload {
 public:
  Queue() : Workload("queue", "Push a window of items, pop the oldest", /*threads=*/1) {
    options().AddCount("window", "Items in the queue", &window_, 1, uint64_t{1} << 32);
    options().AddCount("items", "Items that pass through it", &items_, 1, uint64_t{1} << 40);
  }

  void SetScale(Scale scale) override {
    window_ = scale == Scale::kTiny ? 10'000 : scale == Scale::kSmall ? 100'000 : 2'000'000;
    items_ = 4 * window_;
  }

  Status Prepare(Progress&) override { return Status::Ok(); }

  uint64_t LiveBytes() const override { return window_ * ObjectBytes(sizeof(Item)); }

  StatusOr<std::string> Execute(Session& session) override {
    Mutator& mutator = session.mutator();
    Item* newest = MakeGarbageCollected<Item>(mutator, 0u);  // the stack keeps it alive
    if (newest == nullptr) return HeapFull("making the first item");
    Item* oldest = newest;
    uint64_t pushed = 1;
    const auto push = [&] {
      Item* item = MakeGarbageCollected<Item>(mutator, pushed);
      if (item == nullptr) return false;
      newest->next = item;
      newest = item;
      ++pushed;
      return true;
    };
    {
      Phase build(session, "build");
      while (pushed < window_) {
        if (!push()) return HeapFull("filling the queue");
      }
    }
    Phase measured(session, "measured", items_);
    uint64_t checksum = 0;
    for (uint64_t popped = 0; popped < items_; ++popped) {
      checksum = checksum * 31 + oldest->number;
      if (!push()) return HeapFull("pushing");
      oldest = oldest->next;  // what was oldest is garbage now
      if (popped % 1024 == 0) session.progress().Advance(1024);
    }
    return std::to_string(checksum);
  }

 private:
  uint64_t window_ = 0;
  uint64_t items_ = 0;
};

}  // namespace

std::unique_ptr<Workload> MakeQueue() { return std::make_unique<Queue>(); }

}  // namespace tandem::workloads
