// The managed records of word count, and how they hang together:
//
//   Shuffle          one slot for each (split, partition), the head of a list of Pairs
//     Pair -> Pair -> ...     one for each word of the text: what map emits
//       key -> Text           the word in lower case
//       value -> Count        1
//   CountedWords     one for each partition, sorted by word: what reduce returns
//     CountedWord -> Text
//
// Map also makes a Token for each word, which is garbage when its split is done. As in Spark, keys
// and values are objects of their own, reached through references. A slot of the shuffle is written
// by the one map task of its split, and afterwards emptied by the one reduce task of its partition;
// RunTasks orders the two, so slots need no lock.
#pragma once

#include <cstdint>

#include "tandem/array.h"
#include "workloads/text.h"

namespace tandem::workloads {

// A word as it stands in the text. Garbage once its split is mapped.
struct Token : GarbageCollected<Token> {
  Token(Text* t, Token* n) : text(t), next(n) {}
  void Trace(Visitor* visitor) const {
    visitor->Trace(text);
    visitor->Trace(next);
  }
  Member<Text> text;
  Member<Token> next;
};

struct Count : GarbageCollected<Count> {
  explicit Count(uint64_t n) : value(n) {}
  const uint64_t value;
};

struct Pair : GarbageCollected<Pair> {
  Pair(Text* k, Count* v, Pair* n) : key(k), value(v), next(n) {}
  void Trace(Visitor* visitor) const {
    visitor->Trace(key);
    visitor->Trace(value);
    visitor->Trace(next);
  }
  Member<Text> key;
  Member<Count> value;
  Member<Pair> next;
};

struct CountedWord : GarbageCollected<CountedWord> {
  CountedWord(Text* w, uint64_t n) : word(w), count(n) {}
  void Trace(Visitor* visitor) const { visitor->Trace(word); }
  Member<Text> word;
  const uint64_t count;
};

using Shuffle = Array<Member<Pair>>;
using CountedWords = Array<Member<CountedWord>>;

}  // namespace tandem::workloads
