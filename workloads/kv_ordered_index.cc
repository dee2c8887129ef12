#include "workloads/kv_ordered_index.h"

#include <algorithm>
#include <bit>

namespace tandem::workloads {

namespace {

// One in four nodes of a level is on the next one, too.
unsigned HeightOf(uint64_t number, unsigned max) {
  return std::min(1 + static_cast<unsigned>(std::countr_zero(Mix(number + 1))) / 2, max);
}

}  // namespace

KvOrderedIndex* KvOrderedIndex::Make(Mutator& mutator) {
  Node* head = Node::Make(mutator, 0, kMaxHeight, nullptr);
  return head == nullptr ? nullptr : MakeGarbageCollected<KvOrderedIndex>(mutator, head);
}

KvOrderedIndex::Path KvOrderedIndex::Descend(uint64_t number) const {
  Path path;
  Node* node = head_;
  for (size_t level = kMaxHeight; level-- > 0;) {
    for (Node* next = node->next(level); next != nullptr && next->number() < number;
         next = node->next(level)) {
      node = next;
    }
    path.before[level] = node;
  }
  return path;
}

KvOrderedIndex::Node* KvOrderedIndex::Seek(uint64_t number) const {
  return Descend(number).before[0]->next();
}

bool KvOrderedIndex::Insert(Mutator& mutator, uint64_t number, KvEntry* entry) {
  Node* node = Node::Make(mutator, number, HeightOf(number, kMaxHeight), entry);
  if (node == nullptr) return false;
  const Path path = Descend(number);
  for (size_t level = 0; level < node->height(); ++level) {
    node->next(level) = path.before[level]->next(level);
    path.before[level]->next(level) = node;
  }
  return true;
}

void KvOrderedIndex::Remove(uint64_t number) {
  const Path path = Descend(number);
  Node* node = path.before[0]->next();
  for (size_t level = 0; level < node->height(); ++level) {
    path.before[level]->next(level) = node->next(level);
  }
}

}  // namespace tandem::workloads
