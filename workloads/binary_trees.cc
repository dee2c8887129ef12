// Binary trees, the known benchmark of allocators and collectors: one tree lives throughout,
// many of all sizes live briefly.
//
// For each depth 4, 6, ... up to the long-lived tree's, `churn` times as many nodes as the
// long-lived tree has are allocated in trees of that depth, counted and dropped; then the
// long-lived tree is counted. The checksum is the number of nodes counted in all; there is
// nothing random in it.
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <string>

#include "tandem/allocation.h"
#include "tandem/member.h"
#include "tandem/persistent.h"
#include "workloads/tasks.h"
#include "workloads/workload.h"

namespace tandem::workloads {

namespace {

constexpr uint64_t kSmallestDepth = 4;

struct Tree : GarbageCollected<Tree> {
  void Trace(Visitor* visitor) const {
    visitor->Trace(left);
    visitor->Trace(right);
  }
  Member<Tree> left;
  Member<Tree> right;
};

constexpr uint64_t NodesOf(uint64_t depth) { return (uint64_t{2} << depth) - 1; }

// Null: the heap is full.
Tree* Grow(Mutator& mutator, uint64_t depth) {
  Tree* tree = MakeGarbageCollected<Tree>(mutator);
  if (tree == nullptr || depth == 0) return tree;
  Tree* left = Grow(mutator, depth - 1);
  if (left == nullptr) return nullptr;
  tree->left = left;
  Tree* right = Grow(mutator, depth - 1);
  if (right == nullptr) return nullptr;
  tree->right = right;
  return tree;
}

uint64_t CountNodes(Mutator& mutator, const Tree* tree, uint64_t depth) {
  if (depth == 0) return 1;
  if (depth % 8 == 0) mutator.Safepoint();  // a walk of warm pages has no other
  return 1 + CountNodes(mutator, tree->left, depth - 1) +
         CountNodes(mutator, tree->right, depth - 1);
}

class BinaryTrees : public Workload {
 public:
  BinaryTrees() : Workload("binary-trees", "One long-lived tree, many short-lived ones", 2) {
    options().AddCount("depth", "Depth of the long-lived tree", &depth_, kSmallestDepth, 32);
    options().AddCount("churn", "Short-lived nodes of each depth, in long-lived trees", &churn_, 1,
                       1000);
  }

  void SetScale(Scale scale) override {
    depth_ = scale == Scale::kTiny ? 14 : scale == Scale::kSmall ? 18 : 21;
    churn_ = 1;
  }

  Status Prepare(Progress&) override { return Status::Ok(); }

  uint64_t LiveBytes() const override {
    const uint64_t largest = depth_ - (depth_ - kSmallestDepth) % 2;
    const uint64_t at_once = std::min(threads_, churn_ << (depth_ - largest));
    return (NodesOf(depth_) + at_once * NodesOf(largest)) * ObjectBytes(sizeof(Tree));
  }

  StatusOr<std::string> Execute(Session& session) override {
    Mutator& mutator = session.mutator();
    Persistent<Tree> long_lived(session.heap());
    {
      Phase build(session, "build");
      long_lived = Grow(mutator, depth_);
      if (!long_lived) return HeapFull("growing the long-lived tree");
    }
    Phase measured(session, "measured", Rounds());
    uint64_t nodes = 0;
    for (uint64_t depth = kSmallestDepth; depth <= depth_; depth += 2) {
      StatusOr<uint64_t> counted = GrowAndCount(session, depth);
      if (!counted.ok()) return counted.status();
      nodes += *counted + CountNodes(mutator, long_lived.Get(), depth_);
      session.progress().Advance(1);
    }
    return std::to_string(nodes);
  }

 private:
  uint64_t Rounds() const { return (depth_ - kSmallestDepth) / 2 + 1; }

  // One round of short-lived trees; returns how many nodes they had.
  StatusOr<uint64_t> GrowAndCount(Session& session, uint64_t depth) {
    std::atomic<uint64_t> nodes{0};
    const size_t trees = churn_ << (depth_ - depth);
    const Status status = RunTasks(session.mutator(), threads_, trees, [&](Mutator& own, size_t) {
      const Tree* tree = Grow(own, depth);
      if (tree == nullptr) return HeapFull("growing short-lived trees");
      nodes.fetch_add(CountNodes(own, tree, depth), std::memory_order_relaxed);
      return Status::Ok();
    });
    if (!status.ok()) return status;
    return nodes.load();
  }

  uint64_t depth_ = 0;
  uint64_t churn_ = 1;
};

}  // namespace

std::unique_ptr<Workload> MakeBinaryTrees() { return std::make_unique<BinaryTrees>(); }

}  // namespace tandem::workloads
