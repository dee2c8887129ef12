// Every order comes to the end of a cycle, whatever the application does meanwhile, and loses
// nothing that hangs on a far page. Nothing is timed: a cycle that does not end is a test that does
// not.
#include <gtest/gtest.h>

#include <atomic>
#include <cctype>
#include <optional>
#include <string>
#include <thread>

#include "tests/api/graph.h"

namespace tandem {
namespace {

using namespace testing;  // NOLINT: the tests' own vocabulary

constexpr size_t kNodes = 20'000;  // about 200 pages, three times what is local
constexpr int kCycles = 3;

class Termination : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    HeapOptions options = QuietAndFar();
    options.order = GetParam();
    options.prefetcher = "readahead";
    heap_ = MakeHeap(options);
    mutator_ = std::make_unique<Mutator>(*heap_);
    nodes_.emplace(*heap_, Nodes::Make(*mutator_, kNodes));
    for (size_t i = 0; i < kNodes; ++i) {
      (**nodes_)[i] = MakeGarbageCollected<Node>(*mutator_, i);
      (**nodes_)[i]->left = (**nodes_)[i * 7 / 8];
    }
    PushOut(*mutator_);
  }

  void ExpectAllIntact() {
    for (size_t i = 0; i < kNodes; ++i) {
      const Node* node = (**nodes_)[i];
      ASSERT_TRUE(node->Intact());
      ASSERT_EQ(node->value, i);
    }
  }

  // Runs cycles while another thread does `work` again and again.
  template <typename Work>
  void CollectBeside(const Work& work) {
    std::atomic<bool> stop{false};
    std::atomic<uint64_t> rounds{0};
    std::thread other([&] {
      Mutator mutator(*heap_);
      while (!stop) {
        work(mutator);
        mutator.Safepoint();
        ++rounds;
      }
    });
    for (int i = 0; i < kCycles; ++i) heap_->Collect();
    stop = true;
    {
      BlockingScope blocking(*mutator_);
      other.join();
    }
    EXPECT_GE(heap_->Counters()["gc.cycles"], uint64_t{kCycles});
    EXPECT_GT(rounds, 0u);
    ExpectAllIntact();
  }

  using Nodes = Array<Member<Node>>;
  std::unique_ptr<Heap> heap_;
  std::unique_ptr<Mutator> mutator_;
  std::optional<Persistent<Nodes>> nodes_;
};

TEST_P(Termination, BesideAMutatorThatNeverStopsTouchingNewPages) {
  size_t at = 0;
  CollectBeside([&](Mutator&) {
    for (int i = 0; i < 64; ++i) {
      at = (at + 101) % kNodes;  // a page further, most times
      ASSERT_TRUE((**nodes_)[at]->Intact());
    }
  });
}

TEST_P(Termination, BesideAMutatorThatNeverStopsMovingReferences) {
  size_t at = 0;
  CollectBeside([&](Mutator&) {
    for (int i = 0; i < 64; ++i) {
      const size_t from = at;
      at = (at + 101) % kNodes;
      Node* moved = (**nodes_)[from]->left;
      (**nodes_)[from]->left = (**nodes_)[at]->right.Get();
      (**nodes_)[at]->right = moved;
    }
  });
}

TEST_P(Termination, BesideAMutatorThatTouchesNothing) {
  CollectBeside([](Mutator&) {});
}

TEST_P(Termination, BesideAMutatorThatIsBlocked) {
  std::atomic<bool> stop{false};
  std::thread other([&] {
    Mutator mutator(*heap_);
    BlockingScope blocking(mutator);
    while (!stop) std::this_thread::yield();
  });
  for (int i = 0; i < kCycles; ++i) heap_->Collect();
  stop = true;
  other.join();
  ExpectAllIntact();
}

// An object that hangs on a far page alone, which is far again when it is traced.
TEST_P(Termination, LosesNothingThatOnlyAFarPageRefersTo) {
  Persistent<Node> root(*heap_, MakeGarbageCollected<Node>(*mutator_, 0u));
  [&]() __attribute__((noinline)) {
    Node* last = root.Get();
    for (uint64_t i = 1; i < 200; ++i) {
      last->left = MakeGarbageCollected<Node>(*mutator_, i);
      last = last->left;
      for (int junk = 0; junk < 100; ++junk) {
        ASSERT_NE(MakeGarbageCollected<Node>(*mutator_, 0u), nullptr);
      }
    }
  }
  ();
  ScrubStack();
  for (int i = 0; i < kCycles; ++i) {
    PushOut(*mutator_);
    heap_->Collect();
    uint64_t length = 0;
    for (const Node* node = root.Get(); node != nullptr; node = node->left) {
      ASSERT_TRUE(node->Intact());
      ASSERT_EQ(node->value, length++);
    }
    EXPECT_EQ(length, 200u);
  }
}

INSTANTIATE_TEST_SUITE_P(Orders, Termination,
                         ::testing::Values("lifo", "fifo", "memliner", "memliner,epoch_delta=2",
                                           "memliner-release", "lineup", "lineup,stack=64"),
                         [](const auto& p) {
                           std::string name = p.param;
                           for (char& c : name) {
                             if (std::isalnum(static_cast<unsigned char>(c)) == 0) c = '_';
                           }
                           return name;
                         });

}  // namespace
}  // namespace tandem
