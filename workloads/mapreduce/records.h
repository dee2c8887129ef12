// The managed records of the MapReduce engine, and how they hang together:
//
//   Shuffle          one slot for each (split, partition), the head of a list of RunLists
//     RunList -> RunList -> ...   in the order in which map made them
//       Run          pairs sorted by key; equal keys in the order of their emission
//         Pair -> key Text, value AnyValue
//
// Keys are byte strings and are ordered by their bytes. Values are objects of any managed class;
// the engine sees them as AnyValue and never looks inside. A slot is written by the one map task of
// its split and emptied by the one reduce task of its partition, and the master orders the two, so
// slots need no lock.
#pragma once

#include <cstdint>
#include <type_traits>

#include "tandem/array.h"
#include "workloads/text.h"

namespace tandem::workloads::mapreduce {

// What all values are to the engine. No object is of this class itself.
struct AnyValue : GarbageCollected<AnyValue> {};

// The collector knows an object by its address alone, so a reference may forget its class.
template <typename T>
AnyValue* Forget(T* value) {
  static_assert(std::is_base_of_v<GarbageCollected<T>, T>, "values are managed objects");
  return reinterpret_cast<AnyValue*>(value);
}

// The other way. T must be what the value was made as.
template <typename T>
T* As(AnyValue* value) {
  static_assert(std::is_base_of_v<GarbageCollected<T>, T>, "values are managed objects");
  return reinterpret_cast<T*>(value);
}

struct Pair : GarbageCollected<Pair> {
  Pair(Text* k, AnyValue* v) : key(k), value(v) {}
  void Trace(Visitor* visitor) const {
    visitor->Trace(key);
    visitor->Trace(value);
  }
  Member<Text> key;
  Member<AnyValue> value;  // may be null
};

using Pairs = Array<Member<Pair>>;

struct Run : GarbageCollected<Run> {
  Run(Pairs* p, uint64_t b) : pairs(p), bytes(b) {}
  void Trace(Visitor* visitor) const { visitor->Trace(pairs); }
  Member<Pairs> pairs;
  const uint64_t bytes;  // about what its objects take
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
