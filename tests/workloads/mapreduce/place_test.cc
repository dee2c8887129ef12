#include "workloads/mapreduce/place.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <random>
#include <tuple>
#include <vector>

namespace tandem::workloads::mapreduce {
namespace {

auto AsTuple(const Place& place) {
  return std::tuple(place.partition, place.prefix, place.position);
}

std::vector<std::tuple<uint32_t, uint64_t, uint32_t>> Sorted(std::vector<Place> places) {
  SortPlaces(
      places, [](const Place& a, const Place& b) { return a.position < b.position; }, [] {});
  std::vector<std::tuple<uint32_t, uint64_t, uint32_t>> tuples;
  for (const Place& place : places) tuples.push_back(AsTuple(place));
  return tuples;
}

TEST(PlaceTest, SortsByPartitionThenPrefixThenAsTheCallerSays) {
  std::mt19937_64 random(1);
  // Prefixes and partitions that differ in some of their bytes only, often, seldom or never.
  for (const uint64_t prefixes : {uint64_t{0}, uint64_t{1}, uint64_t{0xff00}, ~uint64_t{0}}) {
    for (const uint32_t partitions : {0u, 7u, 0x00010100u}) {
      std::vector<Place> places;
      std::vector<std::tuple<uint32_t, uint64_t, uint32_t>> expected;
      for (uint32_t i = 0; i < 1000; ++i) {
        // Positions that are not in order, so that is_before has something to do.
        const Place place{random() & prefixes, static_cast<uint32_t>(random()) & partitions,
                          i ^ 0x155};
        places.push_back(place);
        expected.push_back(AsTuple(place));
      }
      std::sort(expected.begin(), expected.end());
      EXPECT_EQ(Sorted(places), expected);
    }
  }
}

TEST(PlaceTest, SortsNothingAndOne) {
  EXPECT_TRUE(Sorted({}).empty());
  EXPECT_EQ(Sorted({{1, 2, 3}}).size(), 1u);
}

TEST(PlaceTest, AsksOnlyAboutPlacesThatAreEqualSoFar) {
  std::vector<Place> places{{2, 0, 0}, {1, 0, 1}, {2, 1, 2}, {2, 0, 3}};
  SortPlaces(
      places,
      [](const Place& a, const Place& b) {
        EXPECT_EQ(a.prefix, b.prefix);
        EXPECT_EQ(a.partition, b.partition);
        return a.position < b.position;
      },
      [] {});
  EXPECT_EQ(places[1].position, 0u);
  EXPECT_EQ(places[2].position, 3u);
}

}  // namespace
}  // namespace tandem::workloads::mapreduce
