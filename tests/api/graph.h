// Objects and heaps that the API tests share.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <random>
#include <string>

#include "runtime/heap_impl.h"
#include "runtime/mutator_impl.h"
#include "tandem/tandem.hpp"

namespace tandem::testing {

// A node with a value to check, a few references, and enough ballast for pages to fill soon.
struct Node : GarbageCollected<Node> {
  explicit Node(uint64_t v) : value(v), check(v * 0x9E3779B97F4A7C15u) {}
  void Trace(Visitor* visitor) const {
    visitor->Trace(left);
    visitor->Trace(right);
  }
  bool Intact() const { return check == value * 0x9E3779B97F4A7C15u; }

  const uint64_t value;
  const uint64_t check;
  Member<Node> left;
  Member<Node> right;
};

// Counts its destructions in native memory.
struct Counted : GarbageCollected<Counted> {
  Counted(int* counter, uint64_t v) : deaths(counter), value(v) {}
  ~Counted() { ++*deaths; }

  int* const deaths;
  const uint64_t value;
};

inline std::unique_ptr<Heap> MakeHeap(const HeapOptions& options) {
  auto heap = Heap::Create(options);
  EXPECT_TRUE(heap.ok()) << heap.status().message();
  return heap.ok() ? std::move(*heap) : nullptr;
}

// A heap that only does what the test asks for.
inline HeapOptions Quiet() {
  return {.heap_bytes = 64 << 20,
          .fabric = "emulated:none",
          .order = "lifo",
          .automatic = false,
          .verify = true};
}

// The same, with the least local memory there can be.
inline HeapOptions QuietAndFar() {
  HeapOptions options = Quiet();
  options.local_bytes = HeapOptions::kMinLocalBytes;
  return options;
}

// A complete tree of the given depth; null if memory ran out.
inline Node* MakeTree(Mutator& mutator, int depth, uint64_t value = 1) {
  Node* node = MakeGarbageCollected<Node>(mutator, value);
  if (node == nullptr || depth == 0) return node;
  node->left = MakeTree(mutator, depth - 1, value * 2);
  node->right = MakeTree(mutator, depth - 1, value * 2 + 1);
  return node;
}

// The sum of the values of an intact tree.
inline uint64_t SumTree(const Node* node) {
  if (node == nullptr) return 0;
  EXPECT_TRUE(node->Intact());
  return node->value + SumTree(node->left) + SumTree(node->right);
}

inline uint64_t TreeSum(int depth) {
  const uint64_t last = (uint64_t{2} << depth) - 1;
  return last * (last + 1) / 2;
}

// Fewer rounds where each costs more.
constexpr int Rounds(int usually) {
#ifdef TANDEM_SANITIZER
  return usually / 8 + 1;
#else
  return usually;
#endif
}

// The seed of a random test: printed, and taken back from TANDEM_TEST_SEED.
inline uint64_t TestSeed() {
  const char* given = std::getenv("TANDEM_TEST_SEED");
  const uint64_t seed =
      given != nullptr ? std::strtoull(given, nullptr, 0) : std::random_device{}();
  std::printf("TANDEM_TEST_SEED=%llu\n", static_cast<unsigned long long>(seed));
  return seed;
}

// An address that the conservative scan does not recognise.
class Hidden {
 public:
  Hidden() = default;
  explicit Hidden(const void* p) : bits_(~reinterpret_cast<uintptr_t>(p)) {}
  template <typename T>
  T* As() const {
    return reinterpret_cast<T*>(~bits_);
  }
  uintptr_t header() const { return ~bits_ - internal::kHeaderBytes; }

 private:
  uintptr_t bits_ = 0;
};

inline bool IsMarked(Heap& heap, Hidden h) {
  return heap.impl().space->tables.IsMarked(h.header());
}
inline bool Exists(Heap& heap, Hidden h) { return heap.impl().space->tables.IsStart(h.header()); }
inline bool IsLocal(Heap& heap, const void* p) {
  return heap.impl().pager->IsLocal(heap.impl().space->PageOf(reinterpret_cast<uintptr_t>(p)));
}

// Overwrites what earlier calls have left below the caller's frame.
[[gnu::noinline]] inline void ScrubStack() {
  volatile char junk[32 * 1024];
  for (size_t i = 0; i < sizeof junk; ++i) junk[i] = 0;
}

// Allocates until everything older is far.
inline void PushOut(Mutator& mutator) {
  const uint64_t pages = mutator.heap().Memory().local_limit_bytes / 4096;
  for (uint64_t i = 0; i < 3 * pages; ++i) {
    auto* junk = Array<char>::Make(mutator, 2000);
    if (junk == nullptr) return;
    (*junk)[0] = 1;
  }
}

// A marking cycle in steps: what has not been asked for has not been traced.
class SteppedCycle {
 public:
  explicit SteppedCycle(Mutator& mutator) : collector_(*mutator.heap().impl().collector) {
    collector_.StepBegin();
  }
  ~SteppedCycle() {
    if (!ended_) End();
  }
  bool Step(size_t objects) {
    more_ = more_ && collector_.Step(objects);
    return more_;
  }
  void End() {
    collector_.StepEnd();
    ended_ = true;
  }

 private:
  tracer::Collector& collector_;
  bool more_ = true;
  bool ended_ = false;
};

}  // namespace tandem::testing
