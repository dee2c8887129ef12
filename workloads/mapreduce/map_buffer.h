// MapBuffer: what one map task has emitted and not yet made a sorted run of.
//
// The emissions of a record are staged until it is done, so that a record that fails leaves
// nothing. With a combiner there is at most one pair a key and run.
//
// Lives on the stack of the worker's thread, where the collector finds what it refers to. Native
// are only positions, stamps of keys, and copies of keys that are staged.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "workloads/mapreduce/job.h"

namespace tandem::workloads::mapreduce {

class MapBuffer {
 public:
  // The slots of the task's split begin at `first_slot`. Throws HeapExhausted, as all of these do.
  MapBuffer(Context& context, const Job& job, Shuffle* shuffle, size_t first_slot);
  MapBuffer(const MapBuffer&) = delete;
  MapBuffer& operator=(const MapBuffer&) = delete;

  // A pair of the current record. Throws what the user's partition throws.
  void Stage(std::string_view key, AnyValue* value, uint64_t value_bytes);

  // Ends the record: its pairs count, or do not.
  void Commit();
  void Drop();

  // Makes a run for each partition of what is in the buffer, and puts it behind those that are in
  // the slots already. Empties the buffer.
  void Spill();

  uint64_t pairs_in() const { return pairs_in_; }
  uint64_t spills() const { return spills_; }

 private:
  // 32 bytes, since one is written and read for each emission.
  struct Staged {
    uint64_t prefix;  // of the key's stamp
    uint32_t length;
    uint32_t partition;  // unless by_hash_
    uint32_t tag;        // with a combiner
    uint64_t value_bytes;

    KeyStamp stamp() const { return {prefix, length}; }
  };
  static_assert(sizeof(Staged) == 32);
  // Of the key and value with the same position.
  struct Entry {
    KeyStamp stamp;
    uint32_t partition;
    uint64_t bytes;
  };
  // Says by itself whether it is that of a key of up to 8 bytes.
  struct Bucket {
    uint64_t prefix;  // of the key's stamp
    uint32_t tag;     // the key's hash, and in the low 4 bits its length, 9 for all above 8
    uint32_t position_plus_1;  // 0: empty
  };

  void Add(std::string_view key, AnyValue* value, const Staged& staged);
  bool Combine(std::string_view key, AnyValue* value, size_t position);
  // By the high bits, so that a table that grows is written from its beginning to its end.
  size_t HomeOf(uint32_t tag) const { return tag >> home_shift_; }
  Bucket& Find(std::string_view key, const KeyStamp& stamp, uint32_t tag);
  void GrowArrays();
  void GrowTable();
  void Append(Run* run, size_t slot);

  Context& context_;
  const Job& job_;
  Shuffle* const shuffle_;
  const size_t first_slot_;
  const bool by_hash_;  // the partition is PartitionByHash

  std::string staged_keys_;  // those that are not short, in turn
  std::vector<Staged> staged_;
  Array<Member<AnyValue>>* staged_values_;

  // Of the pairs, which become objects only when it is known in which order they will be read.
  Array<Member<Text>>* keys_ = nullptr;
  Array<Member<AnyValue>>* values_ = nullptr;
  size_t capacity_ = 0;  // of both
  std::vector<Entry> entries_;
  std::vector<Bucket> table_;  // 2^(32 - home_shift_); empty without a combiner
  unsigned home_shift_;
  uint64_t bytes_ = 0;
  uint64_t pairs_in_ = 0;
  uint64_t spills_ = 0;
};

}  // namespace tandem::workloads::mapreduce
