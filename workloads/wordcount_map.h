// Map: turns one split of the text into pairs (word, 1), by partition.
//
// Any attached thread; different splits may be mapped at once.
#pragma once

#include <string_view>

#include "tandem/status.h"
#include "workloads/wordcount_records.h"

namespace tandem::workloads {

// Fills shuffle[first_slot] to shuffle[first_slot + partitions - 1] with the pairs of `split`.
// False: the heap is full.
[[nodiscard]] bool MapSplit(Mutator& mutator, std::string_view split, uint32_t partitions,
                            Shuffle* shuffle, size_t first_slot);

}  // namespace tandem::workloads
