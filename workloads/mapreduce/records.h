// The managed records of the MapReduce engine, and how they hang together:
//
//   Shuffle          one slot for each (split, partition), the head of a list of RunLists
//     RunList -> RunList -> ...   in the order in which map made them
//       Run          pairs sorted by key; equal keys in the order of their emission
//         Pair -> key Text, value AnyValue
//         KeyStamps    enough of each key to order most without fetching them
//
// Keys are byte strings and are ordered by their bytes. Values are objects of any managed class;
// the engine sees them as AnyValue and never looks inside. A slot is written by the one map task of
// its split and emptied by the one reduce task of its partition, and the master orders the two, so
// slots need no lock.
#pragma once

#include <cstdint>

#include "tandem/array.h"
#include "workloads/any_value.h"
#include "workloads/mapreduce/key_stamp.h"
#include "workloads/text.h"

namespace tandem::workloads::mapreduce {

struct Pair : GarbageCollected<Pair> {
  // Of pointers, or of Members: then the page of neither is touched.
  template <typename Key, typename Value>
  Pair(const Key& k, const Value& v) : key(k), value(v) {}
  void Trace(Visitor* visitor) const {
    visitor->Trace(key);
    visitor->Trace(value);
  }
  Member<Text> key;
  Member<AnyValue> value;  // may be null
};

using Pairs = Array<Member<Pair>>;

using KeyStamps = Array<KeyStamp>;

struct Run : GarbageCollected<Run> {
  Run(Pairs* p, KeyStamps* s, uint64_t b) : pairs(p), stamps(s), bytes(b) {}
  void Trace(Visitor* visitor) const {
    visitor->Trace(pairs);
    visitor->Trace(stamps);
  }
  Member<Pairs> pairs;
  Member<KeyStamps> stamps;  // of the keys of `pairs`; null if nobody will merge the run
  const uint64_t bytes;      // about what its objects take
};

using Runs = Array<Member<Run>>;

struct RunList : GarbageCollected<RunList> {
  explicit RunList(Run* r) : run(r) {}
  void Trace(Visitor* visitor) const {
    visitor->Trace(run);
    visitor->Trace(next);
  }
  Member<Run> run;
  Member<RunList> next;
};

using Shuffle = Array<Member<RunList>>;

}  // namespace tandem::workloads::mapreduce
