// Place: where a pair of a map task goes: to which partition, and by which key.
//
// Plain values, any thread.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace tandem::workloads::mapreduce {

struct Place {
  uint64_t prefix;     // of the key's stamp
  uint32_t partition;  // before all keys
  uint32_t position;   // of the pair in its task
};

// Sorts by partition, and within it by prefix and then by is_before(a, b), which is asked about
// places that are equal so far only. Calls between_passes() now and then.
//
// A radix sort, since comparisons are guesses that fail: it looks at each byte in turn that is not
// the same in all places, the last first. What no key of a task reaches costs nothing.
template <typename IsBefore, typename BetweenPasses>
void SortPlaces(std::vector<Place>& places, const IsBefore& is_before,
                const BetweenPasses& between_passes) {
  if (places.empty()) return;
  Place differing{0, 0, 0};  // bits that are not the same in all places
  for (const Place& place : places) {
    differing.prefix |= place.prefix ^ places[0].prefix;
    differing.partition |= place.partition ^ places[0].partition;
  }
  std::vector<Place> sorted(places.size());
  const auto sort_by = [&](const auto& byte_of) {
    std::array<uint32_t, 256> at{};
    for (const Place& place : places) ++at[byte_of(place)];
    uint32_t before = 0;
    for (uint32_t& count : at) {
      const uint32_t begin = before;
      before += count;
      count = begin;
    }
    for (const Place& place : places) sorted[at[byte_of(place)]++] = place;
    places.swap(sorted);
    between_passes();
  };
  for (unsigned shift = 0; shift < 64; shift += 8) {
    if ((differing.prefix >> shift & 0xff) == 0) continue;
    sort_by([shift](const Place& place) { return place.prefix >> shift & 0xff; });
  }
  for (unsigned shift = 0; shift < 32; shift += 8) {
    if ((differing.partition >> shift & 0xff) == 0) continue;
    sort_by([shift](const Place& place) { return place.partition >> shift & 0xff; });
  }
  // Now those that nothing has told apart are neighbours.
  for (size_t begin = 0, end; begin < places.size(); begin = end) {
    const auto is_same = [first = places[begin]](const Place& place) {
      return place.partition == first.partition && place.prefix == first.prefix;
    };
    for (end = begin + 1; end < places.size() && is_same(places[end]);) ++end;
    if (end - begin > 1) std::sort(&places[begin], &places[begin] + (end - begin), is_before);
  }
}

}  // namespace tandem::workloads::mapreduce
