// The edges: too little memory, nonsense options, a far side that dies, misuse.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <thread>
#include <vector>

#include "tests/api/graph.h"

namespace tandem {
namespace {

using namespace testing;  // NOLINT: the tests' own vocabulary
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

// --- Out of memory ---

class FullHeap : public ::testing::TestWithParam<uint64_t> {};

TEST_P(FullHeap, SaysNullAndIsUsableAgainOnceReferencesAreDropped) {
  auto heap = MakeHeap({.heap_bytes = 4 << 20,
                        .local_bytes = GetParam(),
                        .fabric = "emulated:none",
                        .verify = true});
  Mutator mutator(*heap);
  Persistent<Node> head(*heap);
  const auto fill = [&]() __attribute__((noinline)) {
    size_t made = 0;
    while (Node* node = MakeGarbageCollected<Node>(mutator, made)) {
      node->left = head.Get();
      head = node;
      ++made;
    }
    return made;
  };
  size_t first = 0;
  for (int round = 0; round < 3; ++round) {
    const size_t made = fill();
    EXPECT_GT(made, (4u << 20) / 48 / 2) << "round " << round;
    if (round == 0) first = made;
    EXPECT_GT(made, first * 8 / 10) << "the heap shrinks";
    EXPECT_GT(heap->Counters()["gc.cycles"], 0u);
    EXPECT_EQ(Array<char>::Make(mutator, 1 << 20), nullptr);
    EXPECT_EQ(Array<char>::Make(mutator, 20'000), nullptr);
    size_t length = 0;
    for (Node* node = head.Get(); node != nullptr; node = node->left) {
      ASSERT_TRUE(node->Intact());
      ++length;
    }
    EXPECT_EQ(length, made);
    head = nullptr;
    ScrubStack();
  }
  // All of it may have been scattered; now it can be had in one piece again.
  EXPECT_NE(Array<char>::Make(mutator, 2 << 20), nullptr);
}

INSTANTIATE_TEST_SUITE_P(Local, FullHeap,
                         ::testing::Values(HeapOptions::kAllLocal, HeapOptions::kMinLocalBytes),
                         [](const auto& p) {
                           return p.param == HeapOptions::kAllLocal ? "All" : "Tiny";
                         });

// Half of it is free, but nowhere in one piece.
TEST(FragmentedHeap, SaysNullToWhatFitsNowhereAndServesWhatFits) {
  for (bool leaf : {true, false}) {
    auto heap = MakeHeap({.heap_bytes = 4 << 20, .fabric = "emulated:none", .automatic = false});
    Mutator mutator(*heap);
    const auto make = [&](size_t bytes) -> void* {
      if (leaf) return Array<char>::Make(mutator, bytes);
      return Array<Member<Node>>::Make(mutator, bytes / 8);
    };
    for (const auto& sizes : {std::pair<size_t, size_t>{3000, 20'000}, {230, 2000}}) {
      const size_t small = sizes.first;
      const size_t large = sizes.second;
      std::vector<Persistent<Array<char>>> roots;
      [&]() __attribute__((noinline)) {
        while (void* object = make(small)) {
          roots.emplace_back(*heap, static_cast<Array<char>*>(object));
        }
      }
      ();
      ASSERT_GT(roots.size(), 500u);
      for (size_t i = 0; i < roots.size(); i += 2) roots[i] = nullptr;
      ScrubStack();
      heap->Collect();
      // Of the small ones two neighbours may have died here and there; an answer must come.
      for (int i = 0; i < 3; ++i) {
        void* object = make(large);
        EXPECT_TRUE(object == nullptr || small < 2048) << i;
      }
      for (int i = 0; i < 100; ++i) EXPECT_NE(make(small), nullptr) << small;
      roots.clear();
      ScrubStack();
      heap->Collect();
      EXPECT_NE(make(large), nullptr);
    }
  }
}

TEST(FullHeapOfThreads, SaysNullToEachOfThem) {
  auto heap = MakeHeap(
      {.heap_bytes = 4 << 20, .local_bytes = 1 << 20, .fabric = "emulated:none", .verify = true});
  std::vector<std::thread> threads;
  std::atomic<int> full{0};
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&] {
      Mutator mutator(*heap);
      Node* head = nullptr;
      while (Node* node = MakeGarbageCollected<Node>(mutator, 1u)) {
        node->left = head;
        head = node;
      }
      ++full;
      while (full < 3) mutator.Safepoint();  // hold on to it until all have seen the end
      for (Node* node = head; node != nullptr; node = node->left) ASSERT_TRUE(node->Intact());
    });
  }
  for (auto& thread : threads) thread.join();
  Mutator mutator(*heap);
  EXPECT_NE(MakeTree(mutator, 10), nullptr);
}

TEST(TinyLocalMemory, RunsThreadsTracersAndLargeObjects) {
  for (bool move : {true, false}) {
    auto heap = MakeHeap({.heap_bytes = 32 << 20,
                          .local_bytes = HeapOptions::kMinLocalBytes,
                          .fabric = "emulated:none",
                          .tracer_threads = 2,
                          .use_move = move,
                          .verify = true});
    std::vector<std::thread> threads;
    for (int t = 0; t < 3; ++t) {
      threads.emplace_back([&] {
        Mutator mutator(*heap);
        Node* tree = MakeTree(mutator, 11);
        auto* large = Array<uint64_t>::Make(mutator, 100'000);  // three times what may be local
        ASSERT_NE(large, nullptr);
        for (size_t i = 0; i < large->length(); ++i) (*large)[i] = i;
        for (int i = 0; i < 3; ++i) {
          ASSERT_NE(MakeTree(mutator, 11), nullptr);
          ASSERT_EQ(SumTree(tree), TreeSum(11));
        }
        for (size_t i = 0; i < large->length(); ++i) ASSERT_EQ((*large)[i], i);
      });
    }
    for (auto& thread : threads) thread.join();
    heap->Collect();
    EXPECT_LE(heap->Memory().local_peak_bytes, HeapOptions::kMinLocalBytes);
  }
}

// --- Nonsense ---

struct Nonsense {
  const char* name;
  void (*spoil)(HeapOptions& options);
  const char* valid;  // what the message must list
};

class NonsenseOption : public ::testing::TestWithParam<Nonsense> {};

TEST_P(NonsenseOption, IsRefusedWithALineThatSaysWhatIsValid) {
  HeapOptions options = Quiet();
  GetParam().spoil(options);
  auto heap = Heap::Create(options);
  ASSERT_FALSE(heap.ok());
  EXPECT_EQ(heap.status().code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(heap.status().message(), AllOf(HasSubstr(GetParam().valid), Not(HasSubstr("\n"))));
}

INSTANTIATE_TEST_SUITE_P(
    Options, NonsenseOption,
    ::testing::Values(
        Nonsense{"FabricKind", [](HeapOptions& o) { o.fabric = "pigeons"; }, "emulated"},
        Nonsense{"NoFabric", [](HeapOptions& o) { o.fabric = ""; }, "emulated"},
        Nonsense{"FabricPreset", [](HeapOptions& o) { o.fabric = "emulated:x"; }, "rdma40"},
        Nonsense{"FabricKey", [](HeapOptions& o) { o.fabric = "emulated:none,x=1"; }, "loss"},
        Nonsense{"FabricValue", [](HeapOptions& o) { o.fabric = "emulated:none,loss=2"; },
                 "0 to 1"},
        Nonsense{"Order", [](HeapOptions& o) { o.order = "random"; }, "lifo, fifo"},
        Nonsense{"NoOrder", [](HeapOptions& o) { o.order = ""; }, "lifo, fifo"},
        Nonsense{"Prefetcher", [](HeapOptions& o) { o.prefetcher = "psychic"; }, "none, readahead"},
        Nonsense{"NoTracers", [](HeapOptions& o) { o.tracer_threads = 0; }, "between 1 and"},
        Nonsense{"ManyTracers", [](HeapOptions& o) { o.tracer_threads = 1 << 20; },
                 "between 1 and"},
        Nonsense{"GrowthOfOne", [](HeapOptions& o) { o.growth = 1; }, "greater than 1"},
        Nonsense{"GrowthOfMinusOne", [](HeapOptions& o) { o.growth = -1; }, "greater than 1"},
        Nonsense{"GrowthNotANumber", [](HeapOptions& o) { o.growth = 0.0 / 0.0; },
                 "greater than 1"},
        Nonsense{"NoHeap", [](HeapOptions& o) { o.heap_bytes = 0; }, "between"},
        Nonsense{"EndlessHeap", [](HeapOptions& o) { o.heap_bytes = UINT64_MAX; }, "between"},
        Nonsense{"NoLocalMemory", [](HeapOptions& o) { o.local_bytes = 0; }, "at least"},
        Nonsense{"LittleLocalMemory",
                 [](HeapOptions& o) { o.local_bytes = HeapOptions::kMinLocalBytes - 1; },
                 "at least"}),
    [](const auto& p) { return p.param.name; });

TEST(ListComponents, NamesWhatHeapsAccept) {
  const Components all = ListComponents();
  ASSERT_FALSE(all.orders.empty());
  ASSERT_FALSE(all.prefetchers.empty());
  ASSERT_FALSE(all.fabrics.empty());
  for (const auto& c : all.orders) {
    EXPECT_TRUE(Heap::Create({.heap_bytes = 1 << 20, .order = c.name}).ok()) << c.name;
    EXPECT_FALSE(c.summary.empty());
  }
  for (const auto& c : all.prefetchers) {
    EXPECT_TRUE(Heap::Create({.heap_bytes = 1 << 20, .prefetcher = c.name}).ok()) << c.name;
    EXPECT_FALSE(c.summary.empty());
  }
  for (const auto& c : all.fabrics) {
    EXPECT_TRUE(Heap::Create({.heap_bytes = 1 << 20, .fabric = c.name}).ok()) << c.name;
  }
}

// --- Pins ---

TEST(Pin, LetsTheKernelReadAndWriteManagedMemory) {
  for (bool move : {true, false}) {
    auto options = QuietAndFar();
    options.use_move = move;
    auto heap = MakeHeap(options);
    Mutator mutator(*heap);
    constexpr size_t kBytes = 20'000;
    Persistent<Array<char>> from(*heap, Array<char>::Make(mutator, kBytes));
    Persistent<Array<char>> to(*heap, Array<char>::Make(mutator, kBytes));
    for (size_t i = 0; i < kBytes; ++i) (*from)[i] = static_cast<char>(i * 31);
    int ends[2];
    ASSERT_EQ(pipe(ends), 0);
    for (int round = 0; round < 5; ++round) {
      PushOut(mutator);
      {
        PinScope pin_from(mutator, from->data(), kBytes);
        PinScope pin_to(mutator, to->data(), kBytes);
        PinScope again(mutator, to->data() + 100, 1);
        PinScope nothing(mutator, to->data(), 0);
        PushOut(mutator);  // whatever else happens, these stay
        ASSERT_EQ(write(ends[1], from->data(), kBytes), ssize_t(kBytes));
        ASSERT_EQ(read(ends[0], to->data(), kBytes), ssize_t(kBytes));
        heap->Collect();
      }
      PushOut(mutator);
      for (size_t i = 0; i < kBytes; ++i) ASSERT_EQ((*to)[i], static_cast<char>(i * 31));
      for (size_t i = 0; i < kBytes; ++i) (*to)[i] = 0;
    }
    close(ends[0]);
    close(ends[1]);
  }
}

// --- The far side dies ---

class DeathTest : public ::testing::Test {
 protected:
  void SetUp() override { GTEST_FLAG_SET(death_test_style, "threadsafe"); }
};

using FarSideDeathTest = DeathTest;

// Reads and writes far memory until the far side is gone.
void UseFarMemory(HeapOptions options, unsigned threads) {
  options.fabric = "emulated:none,die_after=3000,timeout_ms=5";
  auto heap = MakeHeap(options);
  std::vector<std::thread> all;
  for (unsigned t = 0; t < threads; ++t) {
    all.emplace_back([&] {
      Mutator mutator(*heap);
      Node* tree = MakeTree(mutator, 14);
      while (true) SumTree(tree);
    });
  }
  for (auto& thread : all) thread.join();
}

TEST_F(FarSideDeathTest, EndsTheProcessWithAMessageWithoutAHandler) {
  EXPECT_DEATH(UseFarMemory(QuietAndFar(), 1), "tandem: .*memory server.* is lost");
}

TEST_F(FarSideDeathTest, EndsTheProcessWithAMessageWhenTheHandlerReturns) {
  auto options = QuietAndFar();
  options.on_lost_page = [](const LostPage& page) {
    (void)!::write(2, page.reason, strlen(page.reason));
    (void)!::write(2, " (handler)\n", 11);
  };
  EXPECT_DEATH(UseFarMemory(options, 1), "is lost \\(handler\\)");
}

TEST_F(FarSideDeathTest, ReachesTheHandlerOnEveryThreadThatNeedsALostPage) {
  static std::atomic<int> called{0};
  auto options = QuietAndFar();
  options.on_lost_page = [](const LostPage& page) {
    if (page.reason == nullptr) _exit(2);
    if (++called == 3) _exit(3);
    while (true) pause();
  };
  EXPECT_EXIT(UseFarMemory(options, 3), ::testing::ExitedWithCode(3), "");
}

TEST_F(FarSideDeathTest, ReachesTheHandlerInACollection) {
  auto options = QuietAndFar();
  options.on_lost_page = [](const LostPage&) { _exit(3); };
  options.fabric = "emulated:none,die_after=500,timeout_ms=5";
  EXPECT_EXIT(
      {
        auto heap = MakeHeap(options);
        Mutator mutator(*heap);
        Node* tree = MakeTree(mutator, 12);
        for (int i = 0; i < 1000; ++i) heap->Collect();
        _exit(tree != nullptr ? 4 : 5);
      },
      ::testing::ExitedWithCode(3), "");
}

// --- Stale pointers ---

using StalePointerDeathTest = DeathTest;

TEST_F(StalePointerDeathTest, FaultsWhereDeadPagesAreProtected) {
  for (bool far : {false, true}) {
    EXPECT_DEATH(
        {
          auto options = far ? QuietAndFar() : Quiet();
          options.protect_dead = true;
          auto heap = MakeHeap(options);
          Mutator mutator(*heap);
          Persistent<Node> first(*heap, MakeGarbageCollected<Node>(mutator, 1u));
          const Hidden hidden = [&]() __attribute__((noinline)) {
            auto* array = Array<char>::Make(mutator, 100'000);
            for (size_t i = 0; i < 100'000; ++i) (*array)[i] = 'x';
            return Hidden(array);
          }
          ();
          if (far) PushOut(mutator);
          ScrubStack();
          heap->Collect();
          (void)(*hidden.As<Array<char>>())[50'000];
        },
        "dead object was accessed");
  }
}

// --- Misuse ---

using MisuseDeathTest = DeathTest;

TEST_F(MisuseDeathTest, DestroyingAHeapWithAttachedThreads) {
  EXPECT_DEATH(
      {
        auto heap = MakeHeap(Quiet());
        Mutator mutator(*heap);
        heap.reset();
      },
      "destroyed while threads were attached");
}

TEST_F(MisuseDeathTest, AccessFromAThreadThatIsNotAttached) {
  EXPECT_DEATH(
      {
        auto heap = MakeHeap(QuietAndFar());
        std::unique_ptr<Persistent<Node>> node;
        {
          Mutator mutator(*heap);
          node = std::make_unique<Persistent<Node>>(*heap, MakeTree(mutator, 1));
          PushOut(mutator);
        }
        (void)(*node)->value;
      },
      "not attached");
}

TEST_F(MisuseDeathTest, RunningFinalizersOnAThreadThatIsNotAttached) {
  EXPECT_DEATH(
      {
        auto heap = MakeHeap(Quiet());
        heap->RunFinalizers();
      },
      "attached");
}

#ifdef TANDEM_CHECKING
TEST_F(MisuseDeathTest, AttachingTwice) {
  EXPECT_DEATH(
      {
        auto heap = MakeHeap(Quiet());
        Mutator mutator(*heap);
        Mutator again(*heap);
      },
      "attached to the heap already");
}

TEST_F(MisuseDeathTest, ReferringFromOneHeapIntoAnother) {
  EXPECT_DEATH(
      {
        auto a = MakeHeap(Quiet());
        auto b = MakeHeap(Quiet());
        Mutator in_a(*a);
        Mutator in_b(*b);
        Persistent<Node> root(*a, MakeGarbageCollected<Node>(in_a, 1u));
        root->left = MakeGarbageCollected<Node>(in_b, 2u);
        a->Collect();
      },
      "out of");
}
#endif

}  // namespace
}  // namespace tandem
