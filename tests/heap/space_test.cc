#include "runtime/heap/space.h"

#include <gtest/gtest.h>

#include "tests/heap/heap_rig.h"

namespace tandem::heap {
namespace {

class SpaceTest : public ::testing::Test {
 protected:
  // Says that block `b` is of the kind; nothing is allocated.
  uintptr_t MakeBlock(BlockIndex b, BlockKind kind) {
    rig_.block(b).kind.store(kind);
    return rig_.space().blocks.AddressOf(b);
  }
  uintptr_t Find(uintptr_t address) { return rig_.space().FindObject(address); }
  void ExpectObject(uintptr_t object, size_t bytes) {
    EXPECT_EQ(Find(object - 1), 0u);
    EXPECT_EQ(Find(object), object);
    EXPECT_EQ(Find(object + 1), object);
    EXPECT_EQ(Find(object + internal::kHeaderBytes), object);
    EXPECT_EQ(Find(object + bytes / 2), object);
    EXPECT_EQ(Find(object + bytes - 1), object);
    EXPECT_EQ(Find(object + bytes), 0u);
  }

  HeapRig rig_;
};

TEST_F(SpaceTest, ThereIsNothingOutsideOfTheHeapOrInFreeBlocks) {
  const uintptr_t base = MakeBlock(0, BlockKind::kFree);
  EXPECT_EQ(Find(0), 0u);
  EXPECT_EQ(Find(base - 1), 0u);
  EXPECT_EQ(Find(base), 0u);
  EXPECT_EQ(Find(base + rig_.space().blocks.size() * kBlockBytes), 0u);
  EXPECT_EQ(Find(UINTPTR_MAX), 0u);
  rig_.tables().AddObject(base, 64);
  EXPECT_EQ(Find(base), 0u);  // of a former life
}

TEST_F(SpaceTest, ASmallObjectIsFoundFromAnywhereInIt) {
  for (const BlockKind kind : {BlockKind::kSmall, BlockKind::kSmallLeaf}) {
    const uintptr_t base = MakeBlock(3, kind);
    for (const size_t bytes : {size_t{16}, size_t{48}, size_t{2048}}) {
      const uintptr_t object = base + bytes * 3;
      rig_.tables().AddObject(object, bytes);
      ExpectObject(object, bytes);
      rig_.tables().starts()[rig_.tables().GranuleOf(object) / 64] = 0;
      const size_t last = rig_.tables().GranuleOf(object + bytes) - 1;
      rig_.tables().ends()[last / 64] = 0;
    }
  }
}

TEST_F(SpaceTest, NeighboursAreToldApart) {
  const uintptr_t base = MakeBlock(3, BlockKind::kSmall);
  rig_.tables().AddObject(base + 4096 - 32, 32);
  rig_.tables().AddObject(base + 4096, 16);
  rig_.tables().AddObject(base + 4096 + 16, 64);
  EXPECT_EQ(Find(base + 4096 - 1), base + 4096 - 32);
  EXPECT_EQ(Find(base + 4096), base + 4096);
  EXPECT_EQ(Find(base + 4096 + 15), base + 4096);
  EXPECT_EQ(Find(base + 4096 + 79), base + 4096 + 16);
  EXPECT_EQ(Find(base + 4096 + 80), 0u);
}

TEST_F(SpaceTest, AMediumObjectIsFoundAcrossItsPages) {
  for (const BlockKind kind : {BlockKind::kMedium, BlockKind::kMediumLeaf}) {
    const uintptr_t base = MakeBlock(5, kind);
    rig_.tables().AddObject(base + 2 * 4096, 5 * 4096 + 16);
    ExpectObject(base + 2 * 4096, 5 * 4096 + 16);
    EXPECT_EQ(Find(base + kBlockBytes - 1), 0u);
  }
}

TEST_F(SpaceTest, ALargeObjectIsFoundFromAnyOfItsBlocks) {
  for (const bool leaf : {false, true}) {
    const uintptr_t base = MakeBlock(10, leaf ? BlockKind::kLargeLeafHead : BlockKind::kLargeHead);
    rig_.block(10).extent = 3;
    for (BlockIndex tail = 1; tail < 3; ++tail) {
      MakeBlock(10 + tail, BlockKind::kLargeTail);
      rig_.block(10 + tail).extent = tail;
    }
    EXPECT_EQ(Find(base + 5), 0u);  // not yet made
    rig_.tables().AddObject(base, 2 * kBlockBytes + 512);
    EXPECT_EQ(Find(base), base);
    EXPECT_EQ(Find(base + kBlockBytes), base);
    EXPECT_EQ(Find(base + 2 * kBlockBytes + 511), base);
    EXPECT_EQ(Find(base + 3 * kBlockBytes), 0u);
    rig_.tables().starts()[rig_.tables().GranuleOf(base) / 64] = 0;
    EXPECT_EQ(Find(base + kBlockBytes), 0u);  // dead
  }
}

TEST_F(SpaceTest, FindsWhatAWalkOverTheObjectsWouldFind) {
  Random random(TestSeed());
  for (size_t round = 0; round < Rounds(100); ++round) {
    HeapRig rig({.blocks = 16, .local_pages = 64});
    const uintptr_t base = rig.space().blocks.AddressOf(7);
    rig.block(7).kind.store(BlockKind::kSmall);
    std::vector<uintptr_t> owner(kBlockGranules, 0);
    const size_t longest = size_t{1} << random.Between(0, 7);
    for (size_t at = 0; at < kBlockGranules;) {
      const size_t in_page = 256 - at % 256;
      const size_t granules = std::min(random.Between(1, longest), in_page);
      if (random.OneIn(2)) {
        const uintptr_t object = base + at * kGranuleBytes;
        rig.tables().AddObject(object, granules * kGranuleBytes);
        for (size_t g = at; g < at + granules; ++g) owner[g] = object;
      }
      at += granules;
    }
    for (size_t g = 0; g < kBlockGranules; ++g) {
      const uintptr_t address = base + g * kGranuleBytes + random.Below(kGranuleBytes);
      ASSERT_EQ(rig.space().FindObject(address), owner[g]) << "granule " << g;
    }
    EXPECT_EQ(rig.pager().budget().taken(), 0u);  // no page of the heap was touched
  }
}

}  // namespace
}  // namespace tandem::heap
