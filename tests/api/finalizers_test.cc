// Finalizers: on whose thread, how often, and what they find.
#include <gtest/gtest.h>

#include <set>
#include <thread>

#include "tests/api/graph.h"

namespace tandem {
namespace {

using namespace testing;  // NOLINT: the tests' own vocabulary

struct Record {
  std::set<std::thread::id> threads;
  std::multiset<uint64_t> values;
  int damaged = 0;
  Persistent<Array<Member<Node>>>* rescue = nullptr;
};

// Refers to a tree that its destructor visits.
struct Witness : GarbageCollected<Witness> {
  Witness(Record* r, uint64_t v, Node* t) : record(r), value(v), tree(t) {}
  ~Witness() {
    record->threads.insert(std::this_thread::get_id());
    record->values.insert(value);
    if (SumTree(tree) != TreeSum(3)) ++record->damaged;
    if (record->rescue != nullptr) (**record->rescue)[value] = tree.Get();
  }
  void Trace(Visitor* visitor) const { visitor->Trace(tree); }

  Record* const record;
  const uint64_t value;
  Member<Node> tree;
};

constexpr uint64_t kWitnesses = 400;

[[gnu::noinline]] void MakeWitnesses(Mutator& mutator, Record& record) {
  for (uint64_t i = 0; i < kWitnesses; ++i) {
    ASSERT_NE(MakeGarbageCollected<Witness>(mutator, &record, i, MakeTree(mutator, 3)), nullptr);
  }
}

class Finalizers : public ::testing::TestWithParam<bool> {
 protected:
  HeapOptions Options() const { return GetParam() ? QuietAndFar() : Quiet(); }
};

TEST_P(Finalizers, RunOnceOnTheThreadThatAsksWithAllTheyReferToIntact) {
  auto heap = MakeHeap(Options());
  Mutator mutator(*heap);
  Record record;
  MakeWitnesses(mutator, record);
  ScrubStack();
  heap->Collect();
  EXPECT_TRUE(record.values.empty()) << "nobody asked yet";
  // They wait as long as they must.
  for (int i = 0; i < 3; ++i) {
    PushOut(mutator);
    heap->Collect();
  }
  std::thread::id runner;
  {
    BlockingScope blocking(mutator);
    std::thread other([&] {
      Mutator mine(*heap);
      runner = std::this_thread::get_id();
      EXPECT_EQ(heap->RunFinalizers(10), 10u);
      heap->Collect();  // with some run, some waiting
      heap->RunFinalizers();
    });
    other.join();
  }
  EXPECT_EQ(record.threads, std::set<std::thread::id>{runner});
  EXPECT_GT(record.values.size(), kWitnesses - 10);
  EXPECT_EQ(std::set<uint64_t>(record.values.begin(), record.values.end()).size(),
            record.values.size())
      << "one ran twice";
  EXPECT_EQ(record.damaged, 0);
  const size_t ran = record.values.size();
  heap->Collect();
  heap->RunFinalizers();
  EXPECT_LE(record.values.size(), kWitnesses);
  EXPECT_GE(record.values.size(), ran);
}

TEST_P(Finalizers, MayMakeThingsReachableAgain) {
  auto heap = MakeHeap(Options());
  Mutator mutator(*heap);
  Record record;
  Persistent<Array<Member<Node>>> rescued(*heap, Array<Member<Node>>::Make(mutator, kWitnesses));
  record.rescue = &rescued;
  MakeWitnesses(mutator, record);
  ScrubStack();
  heap->Collect();
  const size_t ran = heap->RunFinalizers();
  EXPECT_GT(ran, kWitnesses - 10);
  for (int i = 0; i < 2; ++i) {
    ScrubStack();
    PushOut(mutator);
    heap->Collect();
    for (uint64_t value : record.values) EXPECT_EQ(SumTree((*rescued)[value]), TreeSum(3));
  }
}

INSTANTIATE_TEST_SUITE_P(LocalMemory, Finalizers, ::testing::Bool(),
                         [](const auto& p) { return p.param ? "Tiny" : "Ample"; });

// Makes itself reachable again when it dies.
struct Phoenix : GarbageCollected<Phoenix> {
  Phoenix(Persistent<Array<Member<Phoenix>>>* n, uint64_t i, int* d)
      : nest(n), index(i), deaths(d) {}
  ~Phoenix() {
    ++deaths[index];
    (**nest)[index] = this;
  }
  Persistent<Array<Member<Phoenix>>>* const nest;
  const uint64_t index;
  int* const deaths;
};

TEST(Finalizer, IsNotRunTwiceForAnObjectThatCameBack) {
  auto heap = MakeHeap(Quiet());
  Mutator mutator(*heap);
  constexpr size_t kCount = 200;
  Persistent<Array<Member<Phoenix>>> nest(*heap, Array<Member<Phoenix>>::Make(mutator, kCount));
  int deaths[kCount] = {};
  [&]() __attribute__((noinline)) {
    for (size_t i = 0; i < kCount; ++i) {
      (void)MakeGarbageCollected<Phoenix>(mutator, &nest, i, deaths);
    }
  }
  ();
  ScrubStack();
  heap->Collect();
  EXPECT_GT(heap->RunFinalizers(), kCount - 10);
  heap->Collect();
  size_t alive = 0;
  for (size_t i = 0; i < kCount; ++i) {
    Phoenix* phoenix = (*nest)[i];
    if (phoenix == nullptr) continue;
    EXPECT_EQ(phoenix->index, i);
    ++alive;
    (*nest)[i] = nullptr;
  }
  EXPECT_GT(alive, kCount - 10);
  for (int round = 0; round < 3; ++round) {
    ScrubStack();
    heap->Collect();
    heap->RunFinalizers();
  }
  for (int d : deaths) EXPECT_LE(d, 1);
}

// Destructors that race with cycles, and hand on what they find. In the snapshot such an object
// is reachable only from the queue that it is taken from.
TEST(Finalizer, ObjectsPoppedWhileMarkingBeginsAreNotLost) {
  auto options = Quiet();
  options.protect_dead = true;  // what is lost faults
  options.heap_bytes = 512 << 20;
  auto heap = MakeHeap(options);
  Mutator mutator(*heap);
  // Many roots, so that looking at them takes a while.
  std::vector<Persistent<Node>> roots;
  Node* shared = MakeGarbageCollected<Node>(mutator, 1u);
  for (int i = 0; i < 20'000; ++i) roots.emplace_back(*heap, shared);
  for (int round = 0; round < Rounds(30); ++round) {
    Record record;
    Persistent<Array<Member<Node>>> rescued(*heap, Array<Member<Node>>::Make(mutator, kWitnesses));
    record.rescue = &rescued;
    MakeWitnesses(mutator, record);
    ScrubStack();
    heap->Collect();
    heap->RequestCollection();
    while (heap->RunFinalizers(1) != 0) {
    }
    heap->Collect();
    for (uint64_t value : record.values) ASSERT_EQ(SumTree((*rescued)[value]), TreeSum(3));
    EXPECT_EQ(record.damaged, 0);
    // What is left must not outlive the record.
    for (int i = 0; i < 2; ++i) {
      heap->Collect();
      heap->RunFinalizers();
    }
    if (record.values.size() != kWitnesses) break;  // a stale word; it would be run too late
  }
}

}  // namespace
}  // namespace tandem
