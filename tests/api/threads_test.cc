// Threads: their stacks as roots, blocking, coming and going, two heaps.
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include "runtime/swap/page_state.h"
#include "tests/api/graph.h"

namespace tandem {
namespace {

using namespace testing;  // NOLINT: the tests' own vocabulary

// --- The stack ---

[[gnu::noinline]] uint64_t HoldInFrames(Heap& heap, Mutator& mutator, int depth) {
  Node* mine = MakeGarbageCollected<Node>(mutator, static_cast<uint64_t>(depth));
  uint64_t sum = 0;
  if (depth > 0) {
    sum = HoldInFrames(heap, mutator, depth - 1);
  } else {
    for (int i = 0; i < 3; ++i) {
      heap.Collect();
      MakeTree(mutator, 8);  // would reuse the memory
    }
  }
  EXPECT_TRUE(mine->Intact());
  return sum + mine->value;
}

TEST(Stack, PointersInAllFramesKeepTheirObjectsAlive) {
  auto heap = MakeHeap(Quiet());
  Mutator mutator(*heap);
  EXPECT_EQ(HoldInFrames(*heap, mutator, 200), 200u * 201 / 2);
}

TEST(Stack, InteriorPointersKeepTheirObjectsAlive) {
  for (size_t length : {100u, 1900u, 3000u, 20'000u, 200'000u}) {
    auto heap = MakeHeap(QuietAndFar());
    Mutator mutator(*heap);
    const auto make = [&](size_t offset) __attribute__((noinline)) {
      auto* bytes = Array<unsigned char>::Make(mutator, length);
      for (size_t i = 0; i < length; ++i) bytes->data()[i] = static_cast<unsigned char>(i + offset);
      return bytes->data() + offset;
    };
    unsigned char* first = make(1);
    unsigned char* middle = make(length / 2);
    unsigned char* last = make(length - 1);
    ScrubStack();
    for (int i = 0; i < 3; ++i) {
      heap->Collect();
      PushOut(mutator);
    }
    EXPECT_EQ(*first, static_cast<unsigned char>(2));
    EXPECT_EQ(middle[-1], static_cast<unsigned char>(length - 1 - length % 2)) << length;
    EXPECT_EQ(*last, static_cast<unsigned char>(2 * (length - 1)));
    EXPECT_EQ(last[1 - static_cast<ptrdiff_t>(length)], static_cast<unsigned char>(length - 1));
  }
}

// All references live in registers that a call preserves, as far as there are any.
TEST(Stack, PointersInRegistersKeepTheirObjectsAlive) {
  auto heap = MakeHeap(Quiet());
  Mutator mutator(*heap);
  const auto hold = [&](Node * a, Node * b, Node * c, Node * d) __attribute__((noinline)) {
    for (int i = 0; i < 3; ++i) {
      ScrubStack();
      heap->Collect();
    }
    return a->Intact() && b->Intact() && c->Intact() && d->Intact()
               ? a->value + b->value + c->value + d->value
               : 0;
  };
  EXPECT_EQ(hold(MakeTree(mutator, 0, 1), MakeTree(mutator, 0, 10), MakeTree(mutator, 0, 100),
                 MakeTree(mutator, 0, 1000)),
            1111u);
}

TEST(Stack, WhatItDoesNotReferToDies) {
  auto heap = MakeHeap(Quiet());
  Mutator mutator(*heap);
  int deaths = 0;
  constexpr int kCount = 2000;
  [&]() __attribute__((noinline)) {
    for (int i = 0; i < kCount; ++i) {
      (void)MakeGarbageCollected<Counted>(mutator, &deaths, uint64_t(i));
    }
  }
  ();
  ScrubStack();
  heap->Collect();
  heap->RunFinalizers();
  EXPECT_GT(deaths, kCount - 20);
  ScrubStack();
  heap->Collect();  // now their memory
  EXPECT_GT(heap->Counters()["gc.freed_bytes"], uint64_t(kCount) * sizeof(Counted) * 8 / 10);
}

// The mutator itself lies on the stack, and knows addresses of the heap. A thread of its own, on
// whose stack nothing is left of earlier tests: heaps often begin where others have begun.
TEST(Stack, TheFirstObjectOfAHeapDiesLikeAnyOther) {
  std::thread thread([] {
    auto heap = MakeHeap(Quiet());
    Mutator mutator(*heap);
    const Hidden first = [&]() __attribute__((noinline)) {
      auto* large = Array<char>::Make(mutator, 100'000);
      (*large)[0] = 1;
      return Hidden(large);
    }
    ();
    for (int i = 0; i < 3; ++i) {
      ScrubStack();
      heap->Collect();
    }
    EXPECT_FALSE(Exists(*heap, first));
  });
  thread.join();
}

TEST(Stack, OfABlockedThreadIsScannedToo) {
  auto heap = MakeHeap(Quiet());
  std::mutex mutex;
  std::condition_variable changed;
  bool waiting = false;
  bool collected = false;
  std::thread thread([&] {
    Mutator mutator(*heap);
    Node* tree = MakeTree(mutator, 8);
    {
      BlockingScope outer(mutator);
      BlockingScope nested(mutator);
      std::unique_lock lock(mutex);
      waiting = true;
      changed.notify_all();
      changed.wait(lock, [&] { return collected; });
    }
    EXPECT_EQ(SumTree(tree), TreeSum(8));
  });
  {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return waiting; });
  }
  {
    Mutator mutator(*heap);
    for (int i = 0; i < 3; ++i) {
      heap->Collect();  // would wait for ever for a thread that does not say that it blocks
      MakeTree(mutator, 9);
    }
  }
  {
    std::lock_guard lock(mutex);
    collected = true;
  }
  changed.notify_all();
  thread.join();
}

// --- Handshakes ---

// A fetch of ten seconds; the process ends as soon as the handshakes are through.
TEST(BarrierFetchDeathTest, DoesNotHoldUpAHandshake) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        auto options = QuietAndFar();
        options.fabric = "emulated:none,read_latency_ns=10000000000,timeout_ms=3600000";
        auto heap = MakeHeap(options);
        std::atomic<const void*> wanted{nullptr};
        std::atomic<bool> arrived{false};
        std::thread reader([&] {
          Mutator mutator(*heap);
          Persistent<Array<char>> leaf(*heap, Array<char>::Make(mutator, 1000));
          (*leaf)[0] = 1;
          const Hidden hidden(leaf.Get());
          PushOut(mutator);
          if (IsLocal(*heap, hidden.As<char>())) _exit(4);
          wanted.store(hidden.As<char>());
          (void)leaf.Get();  // the barrier fetches
          arrived.store(true);
          while (true) pause();
        });
        while (wanted.load() == nullptr) std::this_thread::yield();
        auto& space = *heap->impl().space;
        auto& state =
            space.pager.table().state(space.PageOf(reinterpret_cast<uintptr_t>(wanted.load())));
        while (swap::Residency(state.load()) != swap::kFetching) std::this_thread::yield();
        heap->impl().collector->StepBegin();
        _exit(arrived.load() ? 5 : 0);
      },
      ::testing::ExitedWithCode(0), "");
}

TEST(Handshakes, ReachAThreadThatOnlyReadsWarmMembers) {
  auto heap = MakeHeap(Quiet());
  std::atomic<bool> stop{false};
  std::atomic<bool> running{false};
  std::thread reader([&] {
    Mutator mutator(*heap);
    Node* tree = MakeTree(mutator, 6);
    running = true;
    while (!stop.load(std::memory_order_relaxed)) {
      ASSERT_EQ(SumTree(tree), TreeSum(6));  // no allocation, no call that polls by itself
    }
  });
  while (!running) std::this_thread::yield();
  for (int i = 0; i < 5; ++i) heap->Collect();
  stop = true;
  reader.join();
}

// --- Coming and going ---

TEST(Threads, MayAttachAndDetachWhileCyclesRun) {
  auto options = Quiet();
  options.automatic = true;
  options.heap_bytes = 32 << 20;
  options.tracer_threads = 2;
  auto heap = MakeHeap(options);
  constexpr size_t kThreads = 4;
  Mutator main(*heap);
  Persistent<Array<Member<Node>>> shared(*heap, Array<Member<Node>>::Make(main, kThreads));
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  for (size_t t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < Rounds(200); ++i) {
        Mutator mutator(*heap);
        // A list of old and new objects: what a former life of this thread left, and more.
        if (i % 8 == 0) (*shared)[t] = nullptr;
        for (int n = 0; n < 20; ++n) {
          Node* node = MakeGarbageCollected<Node>(mutator, static_cast<uint64_t>(n));
          ASSERT_NE(node, nullptr);
          node->left = (*shared)[t].Get();
          node->right = MakeTree(mutator, 2);
          (*shared)[t] = node;
        }
        for (Node* node = (*shared)[t]; node != nullptr; node = node->left) {
          ASSERT_TRUE(node->Intact());
          ASSERT_EQ(SumTree(node->right), TreeSum(2));
        }
      }
    });
  }
  {
    BlockingScope blocking(main);
    std::thread collect([&] {
      while (!stop) heap->Collect();
    });
    for (auto& thread : threads) thread.join();
    stop = true;
    collect.join();
  }
  EXPECT_GT(heap->Counters()["gc.verified_objects"], 0u);
}

// The shortest lives there are, with hardly anything between joining, allocating and leaving.
TEST(Threads, ShortLivedOnesLeaveNothingWronglyMarked) {
  auto options = Quiet();
  options.protect_dead = false;
  auto heap = MakeHeap(options);
  constexpr size_t kThreads = 6;
  constexpr size_t kSlots = 64;
  Mutator main(*heap);
  Persistent<Array<Member<Node>>> shared(*heap, Array<Member<Node>>::Make(main, kThreads * kSlots));
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  for (size_t t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (size_t i = 0; i < static_cast<size_t>(Rounds(3000)); ++i) {
        Node* node = nullptr;
        {
          Mutator mutator(*heap);
          node = MakeGarbageCollected<Node>(mutator, i);
          ASSERT_NE(node, nullptr);
          (*shared)[t * kSlots + i % kSlots] = node;
        }
        // Another life gives it a child, which only it refers to.
        Mutator mutator(*heap);
        Member<Node>& slot = (*shared)[t * kSlots + (i * 7) % kSlots];
        if (slot) slot->left = MakeTree(mutator, 1);
      }
    });
  }
  {
    BlockingScope blocking(main);
    std::thread collect([&] {
      while (!stop) heap->Collect();
    });
    for (auto& thread : threads) thread.join();
    stop = true;
    collect.join();
  }
  heap->Collect();
  for (size_t i = 0; i < kThreads * kSlots; ++i) {
    Node* node = (*shared)[i];
    if (node == nullptr || !node->left) continue;
    ASSERT_TRUE(node->Intact());
    ASSERT_EQ(SumTree(node->left), TreeSum(1));
  }
}

// --- Two heaps ---

TEST(TwoHeaps, AreCollectedIndependently) {
  auto options = QuietAndFar();
  auto a = MakeHeap(options);
  auto b = MakeHeap(options);
  Mutator in_a(*a);
  Mutator in_b(*b);
  Node* tree_a = MakeTree(in_a, 12);
  Node* tree_b = MakeTree(in_b, 12);
  for (int i = 0; i < 3; ++i) {
    a->Collect();
    EXPECT_EQ(SumTree(tree_a), TreeSum(12));
    EXPECT_EQ(SumTree(tree_b), TreeSum(12));
  }
  EXPECT_EQ(a->Counters()["gc.cycles"], 3u);
  EXPECT_EQ(b->Counters()["gc.cycles"], 0u);
  b->Collect();
  EXPECT_EQ(SumTree(tree_a), TreeSum(12));
  EXPECT_EQ(SumTree(tree_b), TreeSum(12));
}

TEST(TwoHeaps, StoresIntoOneWhileTheOtherMarks) {
  auto a = MakeHeap(Quiet());
  auto b = MakeHeap(Quiet());
  Mutator in_a(*a);
  Mutator in_b(*b);
  Persistent<Node> root_a(*a, MakeTree(in_a, 8));
  Persistent<Node> root_b(*b, MakeTree(in_b, 8));
  {
    SteppedCycle cycle(in_a);
    cycle.Step(1);
    Node* moved = root_a->left->left;
    root_a->right->right = moved;
    root_a->left->left = nullptr;
    Node* moved_b = root_b->left->left;
    root_b->right->right = moved_b;
    root_b->left->left = nullptr;
    b->Collect();
    cycle.End();
  }
  EXPECT_EQ(SumTree(root_a->right->right), SumTree(root_b->right->right));
}

// Each thread waits for the collection of one heap, attached to both: it must count as blocked
// in the other as well.
TEST(TwoHeaps, AreCollectedByThreadsThatAreAttachedToBoth) {
  auto a = MakeHeap(Quiet());
  auto b = MakeHeap(Quiet());
  const auto work = [&](Heap& collected) {
    Mutator in_a(*a);
    Mutator in_b(*b);
    Node* tree_a = MakeTree(in_a, 6);
    Node* tree_b = MakeTree(in_b, 6);
    for (int i = 0; i < Rounds(100); ++i) {
      collected.Collect();
      EXPECT_EQ(SumTree(tree_a), TreeSum(6));
      EXPECT_EQ(SumTree(tree_b), TreeSum(6));
    }
  };
  std::thread one([&] { work(*a); });
  std::thread two([&] { work(*b); });
  one.join();
  two.join();
}

}  // namespace
}  // namespace tandem
