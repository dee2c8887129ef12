#include "workloads/wordcount_map.h"

namespace tandem::workloads {

namespace {

using TokenLists = Array<Member<Token>>;

// The words of the split, in one list a partition. Null: the heap is full.
TokenLists* Tokenize(Mutator& mutator, std::string_view split, uint32_t partitions) {
  TokenLists* lists = TokenLists::Make(mutator, partitions);
  if (lists == nullptr) return nullptr;
  WordScanner scanner(split);
  std::string_view word;
  while (scanner.Next(&word)) {
    Text* text = Text::Make(mutator, word);
    if (text == nullptr) return nullptr;
    Member<Token>& head = (*lists)[text->hash() % partitions];
    Token* token = MakeGarbageCollected<Token>(mutator, text, head.Get());
    if (token == nullptr) return nullptr;
    head = token;
  }
  return lists;
}

}  // namespace

bool MapSplit(Mutator& mutator, std::string_view split, uint32_t partitions, Shuffle* shuffle,
              size_t first_slot) {
  TokenLists* lists = Tokenize(mutator, split, partitions);
  if (lists == nullptr) return false;
  // Partition by partition, so that the pairs of one lie together for the reduce task that will
  // want just these (as Spark's sort-based shuffle has it).
  for (uint32_t p = 0; p < partitions; ++p) {
    Pair* pairs = nullptr;
    for (Token* token = (*lists)[p]; token != nullptr; token = token->next) {
      Text* key = Text::MakeLowered(mutator, token->text->view());
      if (key == nullptr) return false;
      Count* one = MakeGarbageCollected<Count>(mutator, 1u);
      if (one == nullptr) return false;
      pairs = MakeGarbageCollected<Pair>(mutator, key, one, pairs);
      if (pairs == nullptr) return false;
    }
    (*shuffle)[first_slot + p] = pairs;
  }
  return true;
}

}  // namespace tandem::workloads
