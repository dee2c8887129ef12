// SlotLists: the slots of a channel's transfers, each in one of several lists, doubly linked.
//
// All memory is allocated at the start. Slot has a member `SlotLinks links`. One thread at a time.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace tandem::rdma {

inline constexpr uint32_t kNoSlot = UINT32_MAX;

// Changed by SlotLists alone.
struct SlotLinks {
  uint8_t list = 0;
  uint32_t next = kNoSlot;
  uint32_t previous = kNoSlot;
};

template <typename Slot, size_t kLists>
class SlotLists {
 public:
  // All slots are in `list` to begin with.
  SlotLists(size_t slots, uint8_t list) : slots_(slots) {
    for (uint32_t i = 0; i < slots; ++i) Append(list, i);
  }

  size_t size() const { return slots_.size(); }
  Slot& operator[](uint32_t index) { return slots_[index]; }
  const Slot& operator[](uint32_t index) const { return slots_[index]; }
  auto begin() { return slots_.begin(); }
  auto end() { return slots_.end(); }
  auto begin() const { return slots_.begin(); }
  auto end() const { return slots_.end(); }

  // The first of a list, and the one behind a slot in its list; kNoSlot if there is none.
  uint32_t First(size_t list) const { return lists_[list].first; }
  uint32_t Next(uint32_t index) const { return slots_[index].links.next; }
  uint8_t ListOf(uint32_t index) const { return slots_[index].links.list; }

  // Takes the slot to the end of another list, or of its own.
  void Move(uint32_t index, uint8_t to) {
    const SlotLinks& links = slots_[index].links;
    List& from = lists_[links.list];
    (links.previous == kNoSlot ? from.first : slots_[links.previous].links.next) = links.next;
    (links.next == kNoSlot ? from.last : slots_[links.next].links.previous) = links.previous;
    Append(to, index);
  }

 private:
  struct List {
    uint32_t first = kNoSlot;
    uint32_t last = kNoSlot;
  };

  void Append(uint8_t list, uint32_t index) {
    List& to = lists_[list];
    slots_[index].links = {list, kNoSlot, to.last};
    (to.last == kNoSlot ? to.first : slots_[to.last].links.next) = index;
    to.last = index;
  }

  std::vector<Slot> slots_;
  std::array<List, kLists> lists_;
};

}  // namespace tandem::rdma
