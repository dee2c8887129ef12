#include "runtime/heap/block_sweep.h"

#include <gtest/gtest.h>

#include <array>
#include <bitset>
#include <vector>

#include "tests/base/random.h"

namespace tandem::heap {
namespace {

using tandem::testing::Random;
using tandem::testing::Rounds;
using tandem::testing::TestSeed;

using Bits = std::bitset<kBlockGranules>;

struct Object {
  size_t first;  // granules
  size_t last;
  bool marked;
};

uint64_t WordOf(const Bits& bits, size_t word) {
  uint64_t value = 0;
  for (size_t i = 0; i < 64; ++i) value |= uint64_t{bits[word * 64 + i]} << i;
  return value;
}

// Sweeps the objects, and compares with what a walk over them tells. `stray` are marks that are
// no object's: memory may be marked before an object comes to lie in it.
void Check(const std::vector<Object>& objects, Bits stray = {}) {
  Bits starts, ends, live_starts, live_ends, covered;
  Bits marks = stray;
  for (const Object& object : objects) {
    starts[object.first] = true;
    ends[object.last] = true;
    marks[object.first] = object.marked;
    if (!object.marked) continue;
    live_starts[object.first] = true;
    live_ends[object.last] = true;
    for (size_t g = object.first; g <= object.last; ++g) covered[g] = true;
  }
  BlockSweep sweep;
  for (size_t w = 0; w < kBlockWords; ++w) {
    const BlockSweep::Word word = sweep.Next(WordOf(starts, w), WordOf(ends, w), WordOf(marks, w));
    ASSERT_EQ(word.starts, WordOf(live_starts, w)) << "word " << w;
    ASSERT_EQ(word.ends, WordOf(live_ends, w)) << "word " << w;
    ASSERT_EQ(word.covered, WordOf(covered, w)) << "word " << w;
  }
}

std::vector<Object> RandomObjects(Random& random) {
  std::vector<Object> objects;
  const size_t longest = size_t{1} << random.Between(0, 12);
  const size_t longest_gap = size_t{1} << random.Between(0, 8);
  const size_t one_dead_in = random.Between(1, 5);
  for (size_t at = random.Below(longest_gap);;) {
    const size_t last = at + random.Below(longest);
    if (last >= kBlockGranules) return objects;
    objects.push_back({at, last, !random.OneIn(one_dead_in)});
    at = last + 1 + (random.OneIn(2) ? random.Below(longest_gap) : 0);
    if (at >= kBlockGranules) return objects;
  }
}

TEST(BlockSweep, AnEmptyBlockStaysEmpty) {
  Check({});
  Check({}, Bits().set());
}

TEST(BlockSweep, AnObjectMayTakeTheWholeBlock) {
  Check({{0, kBlockGranules - 1, true}});
  Check({{0, kBlockGranules - 1, false}});
}

TEST(BlockSweep, AnObjectMayTakeOneGranuleAtEitherEnd) {
  for (const bool first : {false, true}) {
    for (const bool last : {false, true}) {
      Check({{0, 0, first}, {kBlockGranules - 1, kBlockGranules - 1, last}});
      Check({{0, 63, first}, {64, 127, last}});
      Check({{10, 63, first}, {64, 64, last}});
    }
  }
}

TEST(BlockSweep, EveryGranuleMayBeAnObject) {
  std::vector<Object> objects(kBlockGranules);
  for (size_t alive = 0; alive < 3; ++alive) {
    for (size_t g = 0; g < kBlockGranules; ++g) objects[g] = {g, g, g % 2 < alive};
    Check(objects);
  }
}

TEST(BlockSweep, DoesWhatAWalkOverTheObjectsWouldDo) {
  Random random(TestSeed());
  for (size_t round = 0; round < Rounds(4000); ++round) {
    const std::vector<Object> objects = RandomObjects(random);
    Bits stray;
    if (random.OneIn(2)) {
      const size_t from = random.Below(kBlockGranules);
      const size_t to = random.Between(from, kBlockGranules);
      for (size_t g = from; g < to; ++g) stray[g] = true;
    }
    ASSERT_NO_FATAL_FAILURE(Check(objects, stray)) << "round " << round;
  }
}

}  // namespace
}  // namespace tandem::heap
