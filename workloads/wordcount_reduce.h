// Reduce: groups the pairs of one partition by word, and sums each group.
//
// Any attached thread; different partitions may be reduced at once.
#pragma once

#include <cstdint>

#include "workloads/wordcount_records.h"

namespace tandem::workloads {

// Takes the pairs of `partition` out of the shuffle (of `splits` times `partitions` slots) and
// returns its words, each once, sorted bytewise. Null: the heap is full.
[[nodiscard]] CountedWords* ReducePartition(Mutator& mutator, Shuffle* shuffle, size_t splits,
                                            uint32_t partitions, uint32_t partition);

}  // namespace tandem::workloads
