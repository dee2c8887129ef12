// Marking while the application runs: the places where a snapshot collector loses objects if it
// is wrong. All cycles are stepped and verified, so that each schedule is the one that is meant.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <random>
#include <thread>
#include <vector>

#include "tests/api/graph.h"

namespace tandem {
namespace {

using namespace testing;  // NOLINT: the tests' own vocabulary

struct Watcher : GarbageCollected<Watcher> {
  void Trace(Visitor* visitor) const {
    visitor->Trace(weak);
    visitor->Trace(strong);
    visitor->Trace(other);
  }
  WeakMember<Node> weak;
  Member<Node> strong;
  Member<Watcher> other;
};

// root -> {left: a -> {left: x -> y}}; returns x, hidden.
[[gnu::noinline]] Hidden MakeChain(Mutator& mutator, Node* root) {
  Node* a = MakeGarbageCollected<Node>(mutator, 10u);
  Node* x = MakeGarbageCollected<Node>(mutator, 11u);
  x->left = MakeGarbageCollected<Node>(mutator, 12u);
  a->left = x;
  root->left = a;
  return Hidden(x);
}

[[gnu::noinline]] void MoveToRoot(Node* root) {
  root->right = root->left->left.Get();
  root->left->left = nullptr;
}

[[gnu::noinline]] void ExpectChainAtRight(Node* root) {
  ASSERT_TRUE(root->right);
  EXPECT_TRUE(root->right->Intact());
  EXPECT_EQ(root->right->value, 11u);
  EXPECT_EQ(root->right->left->value, 12u);
}

TEST(Marking, FindsAReferenceThatMovedFromAnUntracedToATracedObject) {
  auto heap = MakeHeap(Quiet());
  Mutator mutator(*heap);
  Persistent<Node> root(*heap, MakeGarbageCollected<Node>(mutator, 1u));
  const Hidden x = MakeChain(mutator, root.Get());
  ScrubStack();
  SteppedCycle cycle(mutator);
  ASSERT_TRUE(cycle.Step(1));
  ASSERT_TRUE(IsMarked(*heap, Hidden(root.Get())));
  ASSERT_FALSE(IsMarked(*heap, Hidden(root->left.Get())));
  ASSERT_FALSE(IsMarked(*heap, x));
  MoveToRoot(root.Get());
  ScrubStack();
  cycle.End();
  EXPECT_TRUE(Exists(*heap, x));
  ExpectChainAtRight(root.Get());
  heap->Collect();
  ExpectChainAtRight(root.Get());
}

TEST(Marking, FindsAReferenceThatMovedBeforeTheFirstStep) {
  auto heap = MakeHeap(Quiet());
  Mutator mutator(*heap);
  Persistent<Node> root(*heap, MakeGarbageCollected<Node>(mutator, 1u));
  const Hidden x = MakeChain(mutator, root.Get());
  ScrubStack();
  SteppedCycle cycle(mutator);
  MoveToRoot(root.Get());
  EXPECT_FALSE(IsMarked(*heap, x));
  cycle.End();
  EXPECT_TRUE(Exists(*heap, x));
  ExpectChainAtRight(root.Get());
}

TEST(Marking, KeepsWhatWasOverwrittenInThisCycleAndFreesItInTheNext) {
  auto heap = MakeHeap(Quiet());
  Mutator mutator(*heap);
  constexpr size_t kCount = 100;
  Persistent<Array<Member<Node>>> all(*heap, Array<Member<Node>>::Make(mutator, kCount));
  std::vector<Hidden> overwritten;
  [&]() __attribute__((noinline)) {
    for (size_t i = 0; i < kCount; ++i) {
      (*all)[i] = MakeGarbageCollected<Node>(mutator, i);
      overwritten.push_back(MakeChain(mutator, (*all)[i].Get()));
    }
  }
  ();
  const auto count = [&] {
    return std::count_if(overwritten.begin(), overwritten.end(),
                         [&](Hidden h) { return Exists(*heap, h); });
  };
  ScrubStack();
  {
    SteppedCycle cycle(mutator);
    [&]() __attribute__((noinline)) {
      for (size_t i = 0; i < kCount; ++i) (*all)[i]->left->left = nullptr;
    }
    ();
    cycle.End();
  }
  EXPECT_EQ(count(), ssize_t(kCount)) << "they were in the snapshot";
  ScrubStack();
  heap->Collect();
  EXPECT_LT(count(), 10) << "stale words may hold a few";
}

TEST(Marking, FindsAStackObjectThatWasStoredIntoATracedOne) {
  auto heap = MakeHeap(Quiet());
  Mutator mutator(*heap);
  Persistent<Node> root(*heap, MakeGarbageCollected<Node>(mutator, 1u));
  Node* on_stack = MakeTree(mutator, 3, 1);
  SteppedCycle cycle(mutator);
  ASSERT_TRUE(cycle.Step(1));
  ASSERT_TRUE(IsMarked(*heap, Hidden(root.Get())));
  ASSERT_FALSE(IsMarked(*heap, Hidden(on_stack)));
  root->right = on_stack;
  on_stack = nullptr;
  ScrubStack();
  cycle.End();
  EXPECT_EQ(SumTree(root->right), TreeSum(3));
  heap->Collect();
  EXPECT_EQ(SumTree(root->right), TreeSum(3));
}

// Marking begins thread by thread. One has been scanned and makes an object, which is born
// marked; the other, not scanned yet, stores its only reference there and forgets it.
TEST(Marking, FindsAnObjectThatAnUnscannedThreadStoredIntoANewbornOne) {
  auto heap = MakeHeap(Quiet());
  std::atomic<Node*> newborn{nullptr};
  std::atomic<int> stage{0};
  const auto wait_for = [&](int s) {
    while (stage.load() < s) std::this_thread::yield();
  };
  std::atomic<uintptr_t> stored{0};
  std::thread unscanned([&] {
    Mutator mutator(*heap);
    auto& thread = mutator.impl().thread();
    const auto store = [&](Node * mine) __attribute__((noinline)) {
      stage = 1;
      while (!thread.logging()) mutator.Safepoint();  // the first handshake
      while (thread.Done()) std::this_thread::yield();
      mutator.Safepoint();  // the second
      stage = 2;
      wait_for(3);  // the other has been scanned, and has made the newborn
      newborn.load()->left = mine;
      stored = Hidden(mine).header();
    };
    store(MakeTree(mutator, 3));
    ScrubStack();
    stage = 4;
    while (stage.load() < 5) mutator.Safepoint();
  });
  Mutator mutator(*heap);
  auto& thread = mutator.impl().thread();
  wait_for(1);
  std::thread starter([&] { heap->impl().collector->StepBegin(); });
  while (!thread.logging()) mutator.Safepoint();
  for (int handshake = 2; handshake <= 3; ++handshake) {
    while (thread.Done()) std::this_thread::yield();
    if (handshake == 3) wait_for(2);
    mutator.Safepoint();
  }
  Persistent<Node> root(*heap, MakeGarbageCollected<Node>(mutator, 1u));
  EXPECT_TRUE(IsMarked(*heap, Hidden(root.Get())));
  newborn = root.Get();
  stage = 3;
  while (stage.load() < 4) mutator.Safepoint();
  {
    BlockingScope blocking(mutator);
    starter.join();
  }
  heap->impl().collector->StepEnd();
  stage = 5;
  EXPECT_EQ(SumTree(root->left), TreeSum(3));
  {
    BlockingScope blocking(mutator);
    unscanned.join();
  }
  heap->Collect();
  EXPECT_EQ(SumTree(root->left), TreeSum(3));
}

TEST(Marking, ObjectsBornMeanwhileAreMarked) {
  auto heap = MakeHeap(Quiet());
  Mutator mutator(*heap);
  Persistent<Array<Member<Node>>> root(*heap, Array<Member<Node>>::Make(mutator, 3000));
  Persistent<Node> more(*heap, MakeTree(mutator, 8));
  SteppedCycle cycle(mutator);
  ASSERT_TRUE(cycle.Step(5)) << "there must be something left, or the cycle goes on to its end";
  for (size_t i = 0; i < 3000; ++i) {
    (*root)[i] = MakeGarbageCollected<Node>(mutator, i);
    ASSERT_TRUE(IsMarked(*heap, Hidden((*root)[i].Get())));
  }
  for (size_t length : {500u, 3000u, 10'000u, 100'000u}) {
    auto* bytes = Array<char>::Make(mutator, length);
    EXPECT_TRUE(IsMarked(*heap, Hidden(bytes))) << length;
    auto* references = Array<Member<Node>>::Make(mutator, length / 8);
    EXPECT_TRUE(IsMarked(*heap, Hidden(references))) << length;
  }
  cycle.End();
  for (int round = 0; round < 2; ++round) {
    for (size_t i = 0; i < 3000; ++i) ASSERT_EQ((*root)[i]->value, i);
    heap->Collect();
  }
}

TEST(Marking, AWeakLoadKeepsItsTargetAlive) {
  auto heap = MakeHeap(Quiet());
  Mutator mutator(*heap);
  Persistent<Watcher> root(*heap, MakeGarbageCollected<Watcher>(mutator));
  const Hidden x = [&]() __attribute__((noinline)) {
    Node* node = MakeTree(mutator, 3);
    root->weak = node;
    return Hidden(node);
  }
  ();
  ScrubStack();
  root->other = MakeGarbageCollected<Watcher>(mutator);  // left to do after the first step
  SteppedCycle cycle(mutator);
  ASSERT_TRUE(cycle.Step(1));
  ASSERT_TRUE(IsMarked(*heap, Hidden(root.Get())));
  ASSERT_FALSE(IsMarked(*heap, x)) << "a stale word holds it: the test shows nothing";
  [&]() __attribute__((noinline)) { root->strong = root->weak.Get(); }
  ();  // NOLINT
  ScrubStack();
  cycle.End();
  ASSERT_TRUE(Exists(*heap, x));
  EXPECT_EQ(root->weak.Get(), root->strong.Get());
  EXPECT_EQ(SumTree(root->strong), TreeSum(3));
  heap->Collect();
  EXPECT_EQ(SumTree(root->weak.Get()), TreeSum(3));
}

TEST(Marking, AWeakReferenceThatNobodyLoadsIsCleared) {
  auto heap = MakeHeap(Quiet());
  Mutator mutator(*heap);
  Persistent<Watcher> root(*heap, MakeGarbageCollected<Watcher>(mutator));
  const Hidden x = [&]() __attribute__((noinline)) {
    Node* node = MakeTree(mutator, 3);
    root->weak = node;
    return Hidden(node);
  }
  ();
  ScrubStack();
  SteppedCycle cycle(mutator);
  cycle.End();
  EXPECT_EQ(root->weak.Get(), nullptr);
  EXPECT_FALSE(Exists(*heap, x));
}

TEST(Marking, AWeakReferenceStoredIntoATracedObjectIsKept) {
  auto heap = MakeHeap(Quiet());
  Mutator mutator(*heap);
  Persistent<Watcher> root(*heap, MakeGarbageCollected<Watcher>(mutator));
  root->other = MakeGarbageCollected<Watcher>(mutator);
  SteppedCycle cycle(mutator);
  ASSERT_TRUE(cycle.Step(1));
  ASSERT_TRUE(IsMarked(*heap, Hidden(root.Get())));
  Node* node = MakeGarbageCollected<Node>(mutator, 5u);
  root->weak = node;
  cycle.End();
  EXPECT_EQ(root->weak.Get(), node);
}

// Weak loads at any moment of cycles that run on their own: what is handed out stays valid.
TEST(Marking, WeakLoadsThatRaceWithItsEndAreNullOrStayAlive) {
  auto options = Quiet();
  options.heap_bytes = 256 << 20;
  options.protect_dead = true;  // what is dead faults
  auto heap = MakeHeap(options);
  Mutator mutator(*heap);
  constexpr size_t kCount = 256;
  Persistent<Array<Member<Watcher>>> all(*heap, Array<Member<Watcher>>::Make(mutator, kCount));
  for (size_t i = 0; i < kCount; ++i) (*all)[i] = MakeGarbageCollected<Watcher>(mutator);
  uint64_t kept = 0;
  uint64_t cleared = 0;
  for (int round = 0; round < Rounds(60); ++round) {
    [&]() __attribute__((noinline)) {
      for (size_t i = 0; i < kCount; ++i) (*all)[i]->weak = MakeTree(mutator, 1);
    }
    ();
    ScrubStack();
    const uint64_t before = heap->Counters()["gc.cycles"];
    heap->RequestCollection();
    while (heap->Counters()["gc.cycles"] == before) {
      for (size_t i = 0; i < kCount; i += 3) {
        Watcher* w = (*all)[i];
        w->strong = w->weak.Get();
        ASSERT_EQ(SumTree(w->strong), w->strong ? TreeSum(1) : 0);
        w->strong = nullptr;
      }
      mutator.Safepoint();
    }
    for (size_t i = 0; i < kCount; ++i) {
      Node* node = (*all)[i]->weak.Get();
      ASSERT_EQ(SumTree(node), node != nullptr ? TreeSum(1) : 0);
      ++(node != nullptr ? kept : cleared);
    }
  }
  EXPECT_GT(cleared, 0u);
  std::printf("weak references kept %llu, cleared %llu\n", static_cast<unsigned long long>(kept),
              static_cast<unsigned long long>(cleared));
}

TEST(Marking, EndsOnlyWhenAllLogsAreEmpty) {
  auto heap = MakeHeap(Quiet());
  Mutator mutator(*heap);
  Persistent<Node> root(*heap, MakeGarbageCollected<Node>(mutator, 1u));
  root->left = MakeGarbageCollected<Node>(mutator, 2u);
  [&]() __attribute__((noinline)) { root->left->left = MakeTree(mutator, 6); }
  ();
  ScrubStack();
  SteppedCycle cycle(mutator);
  ASSERT_TRUE(cycle.Step(1));
  const Hidden tree(root->left->left.Get());
  ASSERT_FALSE(IsMarked(*heap, tree));
  // The tree now hangs on a traced object and on this thread's log, nowhere else.
  root->right = root->left->left.Get();
  root->left->left = nullptr;
  ScrubStack();
  while (cycle.Step(3)) {
  }
  EXPECT_TRUE(IsMarked(*heap, tree));
  EXPECT_EQ(SumTree(root->right), TreeSum(6));
  // Marking is over: what is stored from now on is known.
  root->left->left = root->right.Get();
  root->right = nullptr;
  cycle.End();
  EXPECT_EQ(SumTree(root->left->left), TreeSum(6));
}

TEST(Marking, FindsWhatALeavingThreadHadInItsLog) {
  auto heap = MakeHeap(Quiet());
  Mutator mutator(*heap);
  Persistent<Node> root(*heap, MakeGarbageCollected<Node>(mutator, 1u));
  const Hidden x = MakeChain(mutator, root.Get());
  ScrubStack();
  SteppedCycle cycle(mutator);
  ASSERT_TRUE(cycle.Step(1));
  ASSERT_FALSE(IsMarked(*heap, x));
  {
    BlockingScope blocking(mutator);
    std::thread other([&] {
      Mutator mine(*heap);
      MoveToRoot(root.Get());
    });
    other.join();
  }
  cycle.End();
  ExpectChainAtRight(root.Get());
}

TEST(Marking, FindsWhatAPersistentHandedOn) {
  auto heap = MakeHeap(Quiet());
  Mutator mutator(*heap);
  Persistent<Node> root(*heap, MakeGarbageCollected<Node>(mutator, 1u));
  auto other = std::make_unique<Persistent<Node>>(*heap);
  [&]() __attribute__((noinline)) { *other = MakeTree(mutator, 4); }
  ();
  ScrubStack();
  SteppedCycle cycle(mutator);
  ASSERT_TRUE(cycle.Step(1));
  root->right = other->Get();
  other.reset();
  cycle.End();
  EXPECT_EQ(SumTree(root->right), TreeSum(4));
}

// --- Random ---

struct Schedule {
  const char* name;
  bool far;
  const char* order;
  bool use_move;
};

class RandomMarking : public ::testing::TestWithParam<Schedule> {};

// A table of roots and random surgery below it, interleaved with single steps of marking. The
// verifier looks at each cycle; at the end all that is reachable must be intact.
TEST_P(RandomMarking, NeverLosesAReachableObject) {
  std::mt19937_64 random(TestSeed());
  auto options = GetParam().far ? QuietAndFar() : Quiet();
  options.order = GetParam().order;
  options.use_move = GetParam().use_move;
  auto heap = MakeHeap(options);
  Mutator mutator(*heap);
  constexpr size_t kRoots = 2000;
  Persistent<Array<Member<Node>>> roots(*heap, Array<Member<Node>>::Make(mutator, kRoots));
  for (size_t i = 0; i < kRoots; ++i) (*roots)[i] = MakeTree(mutator, 4, random() % 1000);
  const auto pick = [&]() -> Node* {
    Node* node = (*roots)[random() % kRoots];
    for (int depth = static_cast<int>(random() % 4); depth > 0 && node != nullptr; --depth) {
      Node* next = random() % 2 == 0 ? node->left : node->right;
      if (next == nullptr) break;
      node = next;
    }
    return node;
  };
  const auto operate = [&]() __attribute__((noinline)) {
    Node* from = pick();
    Node* to = pick();
    if (from == nullptr || to == nullptr) return;
    ASSERT_TRUE(from->Intact());
    ASSERT_TRUE(to->Intact());
    switch (random() % 5) {
      case 0: {  // move
        Node* moved = from->left;
        from->left = nullptr;
        if (moved != nullptr) to->right = moved;
        break;
      }
      case 1: {  // swap
        Node* a = from->left;
        from->left = to->left.Get();
        to->left = a;
        break;
      }
      case 2:  // a newborn takes a subtree over
        if (Node* fresh = MakeGarbageCollected<Node>(mutator, random() % 1000)) {
          fresh->left = from->right.Get();
          from->right = fresh;
        }
        break;
      case 3:  // to and fro among the roots
        (*roots)[random() % kRoots] = from;
        break;
      default:
        (*roots)[random() % kRoots] = MakeTree(mutator, 3, random() % 1000);
    }
  };
  for (int cycles = 0; cycles < Rounds(12); ++cycles) {
    SteppedCycle cycle(mutator);
    bool more = true;
    while (more) {
      for (uint64_t n = random() % 8; n > 0; --n) operate();
      more = cycle.Step(1 + random() % 200);
    }
    for (int n = 0; n < 100; ++n) operate();
    cycle.End();
    for (int n = 0; n < 100; ++n) operate();
  }
  EXPECT_GT(heap->Counters()["gc.verified_objects"], 0u);
  const auto counters = heap->Counters();
  EXPECT_EQ(counters.at("fetch.demand.collector") + counters.at("fetch.trace") > 0, GetParam().far);
}

INSTANTIATE_TEST_SUITE_P(
    Schedules, RandomMarking,
    ::testing::Values(Schedule{"Lifo", false, "lifo", true}, Schedule{"Fifo", false, "fifo", true},
                      Schedule{"FarLifoMove", true, "lifo", true},
                      Schedule{"FarFifoCopy", true, "fifo", false},
                      Schedule{"Memliner", false, "memliner", true},
                      Schedule{"FarMemlinerMove", true, "memliner", true},
                      Schedule{"FarMemlinerEpochs", true, "memliner,epoch_delta=2", true},
                      Schedule{"FarMemlinerRelease", true, "memliner-release", true},
                      Schedule{"Lineup", false, "lineup", true},
                      Schedule{"FarLineupMove", true, "lineup", true},
                      Schedule{"FarLineupCopy", true, "lineup,stack=64", false}),
    [](const auto& p) { return p.param.name; });

TEST(Marking, ReachesObjectsOnlyThroughFarPages) {
  auto heap = MakeHeap(QuietAndFar());
  Mutator mutator(*heap);
  // A list that strides over many pages, so that each reference leads to a far one.
  constexpr uint64_t kLength = 20'000;
  Persistent<Node> root(*heap, MakeGarbageCollected<Node>(mutator, 0u));
  [&]() __attribute__((noinline)) {
    Node* last = root.Get();
    for (uint64_t i = 1; i < kLength; ++i) {
      last->left = MakeGarbageCollected<Node>(mutator, i);
      last = last->left;
    }
  }
  ();
  for (int round = 0; round < 2; ++round) {
    PushOut(mutator);
    ScrubStack();
    heap->Collect();
    uint64_t length = 0;
    for (Node* node = root.Get(); node != nullptr; node = node->left) {
      ASSERT_TRUE(node->Intact());
      ASSERT_EQ(node->value, length++);
    }
    EXPECT_EQ(length, kLength);
  }
}

TEST(Marking, ReadsTheFarPagesOfALargeArrayAheadOfTracingIt) {
  for (const char* order : {"lifo", "lineup"}) {
    auto options = QuietAndFar();
    options.order = order;
    options.local_bytes = 1 << 20;  // room to read ahead
    options.verify = false;         // which fetches as well
    auto heap = MakeHeap(options);
    Mutator mutator(*heap);
    constexpr size_t kLength = 400'000;  // 782 pages of references
    Persistent<Array<Member<Node>>> array(*heap, Array<Member<Node>>::Make(mutator, kLength));
    for (size_t i = 0; i < kLength; i += 1000) {
      (*array)[i] = MakeGarbageCollected<Node>(mutator, i);
      // So that there is something to be read on every page.
      for (size_t j = i + 1; j < i + 1000; ++j) (*array)[j] = (*array)[i];
    }
    PushOut(mutator);
    ScrubStack();
    heap->Collect();
    auto counters = heap->Counters();
    EXPECT_GT(counters["fetch.trace"], 500u) << order;
    EXPECT_LT(counters["fetch.demand.collector"], 250u) << order;
    for (size_t i = 0; i < kLength; i += 1000) ASSERT_EQ((*array)[i]->value, i);
  }
}

TEST(Marking, AtEveryNthAllocationLosesNothing) {
  auto options = QuietAndFar();
  options.collect_every = 7;
  auto heap = MakeHeap(options);
  Mutator mutator(*heap);
  constexpr int kDepth = 8;  // 511 objects
  Node* tree = MakeTree(mutator, kDepth);
  auto* array = Array<Member<Node>>::Make(mutator, 3000);
  for (size_t i = 0; i < 100; ++i) (*array)[i * 30] = MakeTree(mutator, 1, i);
  EXPECT_EQ(SumTree(tree), TreeSum(kDepth));
  for (size_t i = 0; i < 100; ++i) {
    EXPECT_EQ((*array)[i * 30]->value, i);
    EXPECT_EQ((*array)[i * 30]->left->value, i * 2);
  }
  EXPECT_GE(heap->Counters()["gc.cycles"], (511u + 300u) / 7);
}

}  // namespace
}  // namespace tandem
