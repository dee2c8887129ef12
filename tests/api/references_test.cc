// Member, WeakMember, Persistent, Array: what refers to what, and what that keeps alive.
#include <gtest/gtest.h>

#include <numeric>
#include <vector>

#include "tests/api/graph.h"

namespace tandem {
namespace {

using namespace testing;  // NOLINT: the tests' own vocabulary

struct Watcher : GarbageCollected<Watcher> {
  void Trace(Visitor* visitor) const {
    visitor->Trace(weak);
    visitor->Trace(strong);
  }
  WeakMember<Node> weak;
  Member<Node> strong;
};

TEST(Member, ReadsBackWhatWasStored) {
  auto heap = MakeHeap(Quiet());
  Mutator mutator(*heap);
  Node* a = MakeGarbageCollected<Node>(mutator, 1u);
  Node* b = MakeGarbageCollected<Node>(mutator, 2u);
  EXPECT_FALSE(a->left);
  EXPECT_TRUE(a->left == nullptr);
  a->left = b;
  EXPECT_TRUE(a->left);
  EXPECT_EQ(a->left.Get(), b);
  EXPECT_EQ(a->left->value, 2u);
  EXPECT_EQ((*a->left).value, 2u);
  a->right = a->left;
  EXPECT_TRUE(a->left == a->right);
  a->left = nullptr;
  EXPECT_EQ(a->left.Get(), nullptr);
  EXPECT_EQ(a->right.Get(), b);
}

TEST(Member, KeepsItsTargetAlive) {
  auto heap = MakeHeap(Quiet());
  Mutator mutator(*heap);
  Persistent<Node> root(*heap, MakeTree(mutator, 10));
  for (int i = 0; i < 3; ++i) {
    ScrubStack();
    heap->Collect();
    EXPECT_EQ(SumTree(root.Get()), TreeSum(10));
  }
}

TEST(Member, MayFormCycles) {
  auto heap = MakeHeap(Quiet());
  Mutator mutator(*heap);
  Persistent<Node> root(*heap, MakeGarbageCollected<Node>(mutator, 1u));
  root->left = MakeGarbageCollected<Node>(mutator, 2u);
  root->left->left = root.Get();
  root->right = root.Get();
  heap->Collect();
  EXPECT_EQ(root->left->left.Get(), root.Get());
  EXPECT_EQ(root->left->value, 2u);
}

[[gnu::noinline]] void MakeWeakPairs(Mutator& mutator, Array<Member<Watcher>>& watchers,
                                     bool keep) {
  for (size_t i = 0; i < watchers.length(); ++i) {
    watchers[i] = MakeGarbageCollected<Watcher>(mutator);
    watchers[i]->weak = MakeGarbageCollected<Node>(mutator, i);
    if (keep) watchers[i]->strong = watchers[i]->weak.Get();
  }
}

[[gnu::noinline]] size_t CountSet(Array<Member<Watcher>>& watchers) {
  size_t set = 0;
  for (size_t i = 0; i < watchers.length(); ++i) {
    if (Node* node = watchers[i]->weak.Get()) {
      EXPECT_TRUE(node->Intact());
      EXPECT_EQ(node->value, i);
      ++set;
    }
  }
  return set;
}

class WeakMemberNearAndFar : public ::testing::TestWithParam<bool> {
 protected:
  HeapOptions Options() const { return GetParam() ? QuietAndFar() : Quiet(); }
};

TEST_P(WeakMemberNearAndFar, ReadsNullOnceItsTargetIsDead) {
  auto heap = MakeHeap(Options());
  Mutator mutator(*heap);
  constexpr size_t kCount = 4000;
  Persistent<Array<Member<Watcher>>> watchers(*heap, Array<Member<Watcher>>::Make(mutator, kCount));
  MakeWeakPairs(mutator, *watchers, false);
  EXPECT_EQ(CountSet(*watchers), kCount);
  ScrubStack();
  heap->Collect();
  EXPECT_LT(CountSet(*watchers), 10u);  // stale words on the stack may hold a few
  EXPECT_GT(heap->Counters()["gc.weak_cleared"], kCount - 10);
}

TEST_P(WeakMemberNearAndFar, KeepsReadingATargetThatIsAliveOtherwise) {
  auto heap = MakeHeap(Options());
  Mutator mutator(*heap);
  constexpr size_t kCount = 4000;
  Persistent<Array<Member<Watcher>>> watchers(*heap, Array<Member<Watcher>>::Make(mutator, kCount));
  MakeWeakPairs(mutator, *watchers, true);
  for (int i = 0; i < 2; ++i) {
    heap->Collect();
    EXPECT_EQ(CountSet(*watchers), kCount);
  }
  EXPECT_EQ(heap->Counters()["gc.weak_cleared"], 0u);
}

INSTANTIATE_TEST_SUITE_P(LocalMemory, WeakMemberNearAndFar, ::testing::Bool(),
                         [](const auto& p) { return p.param ? "Tiny" : "Ample"; });

TEST(WeakMember, TargetsOnTheStackStayAlive) {
  auto heap = MakeHeap(Quiet());
  Mutator mutator(*heap);
  Persistent<Watcher> watcher(*heap, MakeGarbageCollected<Watcher>(mutator));
  Node* target = MakeGarbageCollected<Node>(mutator, 7u);
  watcher->weak = target;
  heap->Collect();
  EXPECT_EQ(watcher->weak.Get(), target);
  EXPECT_TRUE(watcher->weak);
  EXPECT_EQ(watcher->weak->value, 7u);
}

TEST(WeakMember, WorksAsTheElementOfAnArray) {
  auto heap = MakeHeap(Quiet());
  Mutator mutator(*heap);
  Persistent<Array<WeakMember<Node>>> weak(*heap, Array<WeakMember<Node>>::Make(mutator, 1000));
  Persistent<Node> kept(*heap, MakeGarbageCollected<Node>(mutator, 3u));
  [&]() __attribute__((noinline)) {
    for (size_t i = 0; i < 1000; ++i) {
      (*weak)[i] = i % 100 == 0 ? kept.Get() : MakeGarbageCollected<Node>(mutator, i);
    }
  }
  ();
  ScrubStack();
  heap->Collect();
  size_t others = 0;
  for (size_t i = 0; i < 1000; ++i) {
    if (i % 100 == 0) {
      EXPECT_EQ((*weak)[i].Get(), kept.Get());
    } else {
      others += (*weak)[i] ? 1 : 0;
    }
  }
  EXPECT_LT(others, 10u);
}

TEST(Persistent, KeepsItsTargetAliveUntilItLetsGo) {
  auto heap = MakeHeap(Quiet());
  Mutator mutator(*heap);
  int deaths = 0;
  constexpr int kCount = 500;
  std::vector<Persistent<Counted>> held;
  for (int i = 0; i < kCount; ++i) {
    held.emplace_back(*heap, MakeGarbageCollected<Counted>(mutator, &deaths, uint64_t(i)));
  }
  ScrubStack();
  heap->Collect();
  EXPECT_EQ(heap->RunFinalizers(), 0u);
  for (int i = 0; i < kCount; ++i) EXPECT_EQ(held[i]->value, uint64_t(i));
  held.clear();
  ScrubStack();
  heap->Collect();
  heap->RunFinalizers();
  EXPECT_GT(deaths, kCount - 10);
}

TEST(Persistent, CopiesHoldOnTheirOwn) {
  auto heap = MakeHeap(Quiet());
  Mutator mutator(*heap);
  auto a = std::make_unique<Persistent<Node>>(*heap, MakeGarbageCollected<Node>(mutator, 5u));
  Persistent<Node> b(*a);
  Persistent<Node> c(*heap);
  EXPECT_FALSE(c);
  c = *a;
  a.reset();
  b = nullptr;
  ScrubStack();
  heap->Collect();
  EXPECT_FALSE(b);
  EXPECT_EQ(c->value, 5u);
  EXPECT_TRUE(c->Intact());
}

TEST(Array, StartsZeroedAndKeepsWhatIsStored) {
  auto heap = MakeHeap(Quiet());
  Mutator mutator(*heap);
  // Dirty the memory first, so that it is reused.
  for (int round = 0; round < 3; ++round) {
    for (size_t length : {0u, 1u, 100u, 2000u, 5000u, 40'000u, 70'000u, 300'000u}) {
      auto* bytes = Array<unsigned char>::Make(mutator, length);
      ASSERT_NE(bytes, nullptr);
      ASSERT_EQ(bytes->length(), length);
      for (size_t i = 0; i < length; ++i) {
        ASSERT_EQ((*bytes)[i], 0) << "length " << length << ", element " << i;
        (*bytes)[i] = static_cast<unsigned char>(i * 7 + 1);
      }
      for (size_t i = 0; i < length; ++i) {
        ASSERT_EQ(bytes->data()[i], static_cast<unsigned char>(i * 7 + 1));
      }
    }
    heap->Collect();
  }
}

TEST(Array, OfReferencesKeepsAllElementsAlive) {
  auto heap = MakeHeap(QuietAndFar());
  Mutator mutator(*heap);
  for (size_t length : {10u, 1000u, 20'000u}) {  // small, medium, several blocks
    Persistent<Array<Member<Node>>> nodes(*heap, Array<Member<Node>>::Make(mutator, length));
    ASSERT_TRUE(nodes);
    for (size_t i = 0; i < length; ++i) (*nodes)[i] = MakeGarbageCollected<Node>(mutator, i);
    for (int round = 0; round < 2; ++round) {
      ScrubStack();
      heap->Collect();
      for (size_t i = 0; i < length; ++i) {
        ASSERT_TRUE((*nodes)[i]->Intact());
        ASSERT_EQ((*nodes)[i]->value, i);
      }
    }
  }
}

TEST(Array, ContentSurvivesEvictionAtEveryLength) {
  auto heap = MakeHeap(QuietAndFar());
  Mutator mutator(*heap);
  std::vector<Persistent<Array<uint64_t>>> arrays;
  for (size_t length : {1u, 511u, 512u, 513u, 3000u, 4095u, 4096u, 8192u, 40'000u}) {
    auto& array = arrays.emplace_back(*heap, Array<uint64_t>::Make(mutator, length));
    for (size_t i = 0; i < length; ++i) (*array)[i] = length * 1'000'003 + i;
  }
  for (int round = 0; round < 3; ++round) {
    PushOut(mutator);
    heap->Collect();
    for (auto& array : arrays) {
      const size_t length = array->length();
      for (size_t i = 0; i < length; ++i) ASSERT_EQ((*array)[i], length * 1'000'003 + i);
    }
  }
  EXPECT_GT(heap->Counters()["evict.writeback"], 0u);
}

TEST(Array, OfAnAbsurdLengthIsNull) {
  auto heap = MakeHeap(Quiet());
  Mutator mutator(*heap);
  for (unsigned shift = 27; shift < 64; ++shift) {
    const size_t length = size_t{1} << shift;
    EXPECT_EQ(Array<char>::Make(mutator, length), nullptr) << "2^" << shift;
    EXPECT_EQ(Array<char>::Make(mutator, length - 64), nullptr) << "2^" << shift << " - 64";
    EXPECT_EQ(Array<uint64_t>::Make(mutator, length), nullptr) << "8 * 2^" << shift;
  }
  EXPECT_EQ(Array<char>::Make(mutator, SIZE_MAX), nullptr);
  EXPECT_NE(Array<char>::Make(mutator, 1 << 20), nullptr);
}

TEST(FetchRange, BringsInAWholeArrayForBareAccess) {
  auto options = Quiet();
  options.local_bytes = 2 << 20;
  auto heap = MakeHeap(options);
  Mutator mutator(*heap);
  constexpr size_t kLength = 32 * 1024;  // 256 KiB
  Persistent<Array<uint64_t>> array(*heap, Array<uint64_t>::Make(mutator, kLength));
  for (size_t i = 0; i < kLength; ++i) (*array)[i] = i * i;
  for (int round = 0; round < 3; ++round) {
    PushOut(mutator);
    ASSERT_FALSE(IsLocal(*heap, array->data() + kLength - 1));
    mutator.FetchRange(array->data(), kLength * sizeof(uint64_t));
    uint64_t wrong = 0;
    for (size_t i = 0; i < kLength; ++i) wrong += array->data()[i] != i * i;
    EXPECT_EQ(wrong, 0u);
  }
  mutator.FetchRange(array->data(), 0);  // harmless
}

}  // namespace
}  // namespace tandem
