#include "runtime/heap/sweeper.h"

#include <gtest/gtest.h>

#include <vector>

#include "tests/heap/heap_rig.h"

namespace tandem::heap {
namespace {

using internal::kSmallBytes;

struct Object {
  uintptr_t start;
  size_t bytes;
  uint64_t value;
};

class SweeperTest : public ::testing::Test {
 protected:
  void SetUpHeap(HeapRigOptions options, bool keep_dead = false) {
    allocator_.reset();
    rig_ = std::make_unique<HeapRig>(options);
    allocator_ = std::make_unique<ThreadAllocator>(rig_->space(), rig_->pool(), rig_->port());
    sweeper_ = std::make_unique<Sweeper>(rig_->space(), rig_->pool(), keep_dead);
    region_ = {};
  }

  // An object full of `value`; nothing if the heap is full.
  std::optional<Object> Allocate(size_t bytes, uint64_t value) {
    std::optional<uintptr_t> start;
    if (bytes > kMediumBytes) {
      start = allocator_->AllocateLarge(true, bytes);
    } else if (bytes > kSmallBytes) {
      start = allocator_->AllocateMedium(true, bytes, Effort::kLastResort);
    } else {
      if (region_.end - region_.start < bytes) {
        const auto region = allocator_->NextRegion(true, bytes, Effort::kLastResort);
        if (!region) return std::nullopt;
        region_ = *region;
      }
      start = region_.start;
      region_.start += bytes;
    }
    if (!start) return std::nullopt;
    EXPECT_TRUE(AllWordsAre(*start, bytes, 0));
    FillWords(*start, bytes, value);
    rig_->tables().AddObject(*start, bytes);
    return Object{*start, bytes, value};
  }
  Object MustAllocate(size_t bytes, uint64_t value = 1) { return Allocate(bytes, value).value(); }

  void Mark(const Object& object) { EXPECT_TRUE(rig_->tables().Mark(object.start)); }

  // The end of a cycle: whatever is not marked dies.
  SweepResult Sweep() {
    rig_->pool().BeginSweep();
    allocator_->EndMarking();
    region_ = {};
    return sweeper_->Sweep();
  }

  Block& BlockAt(const Object& object) {
    return rig_->block(rig_->space().blocks.BlockOf(object.start));
  }

  std::unique_ptr<HeapRig> rig_;
  std::unique_ptr<ThreadAllocator> allocator_;
  std::unique_ptr<Sweeper> sweeper_;
  Region region_;
};

TEST_F(SweeperTest, LinesWithoutALiveObjectBecomeFree) {
  SetUpHeap({});
  std::vector<Object> objects;
  for (int i = 0; i < 64; ++i) objects.push_back(MustAllocate(64));  // four a line
  Mark(objects[5]);                                                  // line 1
  Mark(objects[63]);                                                 // line 15
  const SweepResult result = Sweep();
  EXPECT_EQ(result.live_objects, 2u);
  EXPECT_EQ(result.dead_objects, 62u);
  EXPECT_EQ(result.live_bytes, 2 * kLineBytes);
  EXPECT_EQ(result.freed_bytes, kBlockBytes - 2 * kLineBytes);
  EXPECT_EQ(result.dead_pages, kBlockPages - 1);
  const Block& block = BlockAt(objects[0]);
  EXPECT_EQ(block.free_lines, kBlockLines - 2);
  for (size_t line = 0; line < kBlockLines; ++line) {
    EXPECT_EQ(block.LineIsFree(line), line != 1 && line != 15) << line;
  }
  EXPECT_TRUE(rig_->tables().IsStart(objects[5].start));
  EXPECT_FALSE(rig_->tables().IsStart(objects[6].start));
  EXPECT_FALSE(rig_->tables().IsMarked(objects[5].start));
  EXPECT_EQ(rig_->space().FindObject(objects[6].start), 0u);
  EXPECT_EQ(rig_->space().FindObject(objects[5].start + 9), objects[5].start);
}

TEST_F(SweeperTest, ABlockWithoutALiveObjectIsFree) {
  SetUpHeap({.blocks = 2});
  const Object first = MustAllocate(5000);
  const Object second = MustAllocate(64);
  EXPECT_FALSE(Allocate(100'000, 1).has_value());
  EXPECT_EQ(Sweep().dead_objects, 2u);
  EXPECT_EQ(BlockAt(first).kind.load(), BlockKind::kFree);
  EXPECT_EQ(BlockAt(second).kind.load(), BlockKind::kFree);
  MustAllocate(100'000);  // both blocks
}

TEST_F(SweeperTest, LargeObjectsLiveAndDieAsAWhole) {
  SetUpHeap({});
  const Object first = MustAllocate(3 * kBlockBytes);
  const Object second = MustAllocate(2 * kBlockBytes);
  const Object third = MustAllocate(kBlockBytes + 16);
  Mark(second);
  const SweepResult result = Sweep();
  EXPECT_EQ(result.live_objects, 1u);
  EXPECT_EQ(result.dead_objects, 2u);
  EXPECT_EQ(result.live_bytes, 2 * kBlockBytes);
  EXPECT_EQ(result.freed_bytes, 5 * kBlockBytes);
  EXPECT_EQ(result.dead_pages, 5 * kBlockPages);
  EXPECT_EQ(rig_->space().FindObject(first.start + kBlockBytes), 0u);
  EXPECT_EQ(rig_->space().FindObject(second.start + kBlockBytes), second.start);
  EXPECT_EQ(rig_->space().FindObject(third.start), 0u);
  EXPECT_TRUE(AllWordsAre(second.start, second.bytes, 1));
  EXPECT_EQ(MustAllocate(3 * kBlockBytes).start, first.start);
  EXPECT_EQ(Sweep().dead_objects, 2u);  // this one, and the one that nobody marked this time
}

TEST_F(SweeperTest, WhatWasAllocatedSinceMarkingEndedIsLeftAlone) {
  SetUpHeap({});
  const Object old = MustAllocate(64);
  rig_->pool().BeginSweep();
  allocator_->EndMarking();
  region_ = {};
  const Object small = MustAllocate(64, 2);
  const Object medium = MustAllocate(5000, 3);
  const Object large = MustAllocate(100'000, 4);
  EXPECT_EQ(sweeper_->Sweep().dead_objects, 1u);
  EXPECT_FALSE(rig_->tables().IsStart(old.start));
  for (const Object& object : {small, medium, large}) {
    EXPECT_TRUE(rig_->tables().IsStart(object.start));
    EXPECT_TRUE(AllWordsAre(object.start, object.bytes, object.value));
  }
}

TEST_F(SweeperTest, ASweptBlockIsNotSweptAgainInTheSameCycle) {
  SetUpHeap({});
  const Object object = MustAllocate(64);
  Mark(object);
  Sweep();
  EXPECT_EQ(sweeper_->Sweep().dead_objects, 0u);
  EXPECT_TRUE(rig_->tables().IsStart(object.start));
}

TEST_F(SweeperTest, DeadPagesAreWorthlessAndPagesWithLiveObjectsAreNot) {
  SetUpHeap({});
  std::vector<Object> objects;
  for (size_t i = 0; i < 4 * kBlockPages; ++i) objects.push_back(MustAllocate(1024));
  for (size_t page = 0; page < kBlockPages; page += 3) Mark(objects[4 * page + 1]);
  Sweep();
  const swap::PageIndex first = rig_->space().PageOf(objects[0].start);
  for (size_t page = 0; page < kBlockPages; ++page) {
    EXPECT_EQ(rig_->pager().IsWorthless(first + page), page % 3 != 0) << page;
  }
}

TEST_F(SweeperTest, TouchesNoPageOfTheHeap) {
  SetUpHeap({.blocks = 128, .local_pages = 64});
  std::vector<Object> objects;
  for (uint64_t i = 1; i <= 200; ++i) objects.push_back(MustAllocate(i % 2 ? 1024 : 6000, i));
  const Object large = MustAllocate(3 * kBlockBytes, 9);
  for (size_t i = 0; i < objects.size(); i += 5) Mark(objects[i]);
  // So that all of them are far and unchanged:
  const Object others = MustAllocate(16 * kBlockBytes, 0);
  Mark(others);
  const BlockIndex first_other = rig_->space().blocks.BlockOf(others.start);
  rig_->Evict(rig_->space().blocks.base(), large.start + large.bytes, first_other);
  swap::PagerMetrics& metrics = rig_->pager().metrics();
  const uint64_t read = rig_->ReadBytes();
  const uint64_t written = rig_->WrittenBytes();
  const uint64_t traps = metrics.traps.Value();
  const uint64_t populated = metrics.populated.Value();
  const uint64_t discarded = rig_->pager().table().used();
  EXPECT_GT(discarded, 0u);

  const SweepResult result = Sweep();
  EXPECT_EQ(result.live_objects, 41u);
  EXPECT_EQ(result.dead_objects, 161u);
  EXPECT_EQ(rig_->ReadBytes(), read);
  EXPECT_EQ(rig_->WrittenBytes(), written);
  EXPECT_EQ(metrics.traps.Value(), traps);
  EXPECT_EQ(metrics.populated.Value(), populated);
  for (size_t i = 0; i < objects.size(); i += 5) {
    EXPECT_TRUE(AllWordsAre(objects[i].start, objects[i].bytes, objects[i].value));
  }
}

TEST_F(SweeperTest, WhereTheDeadAreKeptNothingIsGivenOutAgain) {
  SetUpHeap({.blocks = 4}, /*keep_dead=*/true);
  const Object small = MustAllocate(64);
  MustAllocate(100'000);
  EXPECT_EQ(Sweep().dead_objects, 2u);
  const Object next = MustAllocate(64);
  EXPECT_GT(next.start, small.start + kBlockBytes);
  EXPECT_FALSE(Allocate(100'000, 1).has_value());
  EXPECT_EQ(Sweep().dead_objects, 1u);
}

// Objects of all sizes come and go over several cycles, under a budget that most of the time
// holds a part of them. Who is marked stays intact; nothing overlaps; new memory is zero.
TEST_F(SweeperTest, WhatIsMarkedStaysIntactOverManyCycles) {
  Random random(TestSeed());
  for (size_t round = 0; round < Rounds(20); ++round) {
    SetUpHeap({.blocks = 48, .local_pages = 64 + random.Below(512)});
    std::vector<Object> live;
    uint64_t next_value = 1;
    for (int cycle = 0; cycle < 6; ++cycle) {
      const size_t want = random.Between(10, 400);
      for (size_t i = 0; i < want; ++i) {
        size_t bytes = 16 * random.Between(1, 20);
        if (random.OneIn(4)) bytes = 16 * random.Between(20, kSmallBytes / 16);
        if (random.OneIn(6)) bytes = 16 * random.Between(kSmallBytes / 16 + 1, kMediumBytes / 16);
        if (random.OneIn(40)) bytes = 16 * random.Between(kMediumBytes / 16 + 1, 12'000);
        const auto object = Allocate(bytes, next_value++);
        ASSERT_FALSE(HasFailure()) << "round " << round;
        if (object) live.push_back(*object);
      }
      const size_t one_dies_in = random.Between(1, 4);
      const size_t before = live.size();
      std::erase_if(live, [&](const Object&) { return random.OneIn(one_dies_in); });
      for (const Object& object : live) Mark(object);
      const SweepResult result = Sweep();
      ASSERT_EQ(result.live_objects, live.size());
      ASSERT_EQ(result.dead_objects, before - live.size());
      for (const Object& object : live) {
        ASSERT_TRUE(AllWordsAre(object.start, object.bytes, object.value)) << "round " << round;
        ASSERT_EQ(rig_->space().FindObject(object.start + random.Below(object.bytes)),
                  object.start);
      }
    }
  }
}

}  // namespace
}  // namespace tandem::heap
