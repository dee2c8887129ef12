// Events for tests of the simulator, written down one by one.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "runtime/record/event.h"

namespace tandem::sim::testing {

class EventList final : public record::EventSource {
 public:
  explicit EventList(uint64_t heap_bytes = 64 << 20) : heap_bytes_(heap_bytes) {}

  uint64_t heap_bytes() const override { return heap_bytes_; }
  StatusOr<bool> Next(record::Event& event) override {
    if (next_ == events_.size()) return false;
    event = events_[next_++];
    return true;
  }
  void Rewind() { next_ = 0; }

  // An object that fills a page but for the last granule, if `granules` is left out.
  void Birth(uint64_t page, uint64_t granules = 255, bool leaf = false) {
    BirthAt(page * 256, granules, leaf);
  }
  void BirthAt(uint64_t granule, uint64_t granules, bool leaf = false) {
    record::Event& event = Add(record::Kind::kBirth);
    event.object = granule;
    event.count = granules;
    event.leaf = leaf;
  }
  void Access(uint64_t page) { Add(record::Kind::kAccess).object = page * 256; }
  // Word `index` of the object at the start of `page` gets to refer to that of `target`.
  void Store(uint64_t page, uint64_t index, uint64_t target) {
    record::Event& event = Add(record::Kind::kStore);
    event.object = page * 256;
    event.index = index;
    event.target = target == record::Event::kNull ? target : target * 256;
  }
  void Range(uint64_t first, uint64_t count) {
    record::Event& event = Add(record::Kind::kRange);
    event.index = first;
    event.count = count;
  }
  // A cycle whose root is the object at the start of `page`.
  void Cycle(uint64_t page) { Add(record::Kind::kCycle).roots = {page * 256}; }
  void Wait() { Add(record::Kind::kWait); }

 private:
  record::Event& Add(record::Kind kind) {
    events_.emplace_back().kind = kind;
    return events_.back();
  }

  const uint64_t heap_bytes_;
  std::vector<record::Event> events_;
  size_t next_ = 0;
};

}  // namespace tandem::sim::testing
