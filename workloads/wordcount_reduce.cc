#include "workloads/wordcount_reduce.h"

#include <algorithm>
#include <numeric>
#include <vector>

#include "workloads/group_table.h"

namespace tandem::workloads {

namespace {

// Each slot is emptied before its list is walked, so that the pairs behind the walk are garbage.
bool GroupPairs(Mutator& mutator, Shuffle* shuffle, size_t splits, uint32_t partitions,
                uint32_t partition, GroupTable* table) {
  for (size_t split = 0; split < splits; ++split) {
    Member<Pair>& slot = (*shuffle)[split * partitions + partition];
    Pair* pair = slot;
    slot = nullptr;
    for (; pair != nullptr; pair = pair->next) {
      if (!table->Add(mutator, pair->key, pair->value)) return false;
    }
  }
  return true;
}

uint64_t SumOf(const Group* group) {
  uint64_t sum = 0;
  for (ValueCell* cell = group->values; cell != nullptr; cell = cell->next) {
    sum += cell->value->value;
  }
  return sum;
}

CountedWords* SumGroups(Mutator& mutator, GroupTable* table) {
  CountedWords* words = CountedWords::Make(mutator, table->size());
  if (words == nullptr) return nullptr;
  GroupTable::Buckets& buckets = *table->buckets();
  size_t filled = 0;
  for (size_t i = 0; i < buckets.length(); ++i) {
    for (Group* group = buckets[i]; group != nullptr; group = group->next) {
      Text* key = group->key;
      CountedWord* word = MakeGarbageCollected<CountedWord>(mutator, key, SumOf(group));
      if (word == nullptr) return nullptr;
      (*words)[filled++] = word;
    }
  }
  return words;
}

// Sorts positions, which are native, rather than references: a reference may only be where the
// collector finds it.
CountedWords* SortedByWord(Mutator& mutator, CountedWords* words) {
  std::vector<uint32_t> order(words->length());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [words](uint32_t a, uint32_t b) {
    return (*words)[a]->word->view() < (*words)[b]->word->view();
  });
  CountedWords* sorted = CountedWords::Make(mutator, order.size());
  if (sorted == nullptr) return nullptr;
  for (size_t i = 0; i < order.size(); ++i) (*sorted)[i] = (*words)[order[i]];
  return sorted;
}

}  // namespace

CountedWords* ReducePartition(Mutator& mutator, Shuffle* shuffle, size_t splits,
                              uint32_t partitions, uint32_t partition) {
  GroupTable* table = GroupTable::Make(mutator);
  if (table == nullptr || !GroupPairs(mutator, shuffle, splits, partitions, partition, table)) {
    return nullptr;
  }
  CountedWords* words = SumGroups(mutator, table);
  return words == nullptr ? nullptr : SortedByWord(mutator, words);
}

}  // namespace tandem::workloads
