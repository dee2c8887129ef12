// GCBench, the known benchmark of collectors by Ellis, Kovac and Boehm: one tree and one array of
// numbers live throughout, trees of growing depth live briefly; some of them are built from the
// root down, which stores into old objects, some from the leaves up.
//
// First comes a stretch tree, four times as large as the long-lived one, which dies at once. Then,
// for each depth 4, 6, ... up to that of the long-lived tree, trees with twice the nodes of the
// stretch tree are built from the root down, and as many from the leaves up. The checksum is how
// many nodes were counted in all of them, and the sum of the array; there is nothing random in it.
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <string>

#include "tandem/array.h"
#include "tandem/persistent.h"
#include "workloads/tasks.h"
#include "workloads/workload.h"

namespace tandem::workloads {

namespace {

constexpr uint64_t kSmallestDepth = 4;
constexpr uint64_t kStretch = 2;  // how much deeper the stretch tree is

struct Node : GarbageCollected<Node> {
  Node(Node* l, Node* r) : left(l), right(r) {}
  void Trace(Visitor* visitor) const {
    visitor->Trace(left);
    visitor->Trace(right);
  }
  Member<Node> left;
  Member<Node> right;
  uint64_t i = 0, j = 0;  // as the original has them; nobody looks at them
};

using Numbers = Array<double>;

constexpr uint64_t NodesOf(uint64_t depth) { return (uint64_t{2} << depth) - 1; }

// From the root down. False: the heap is full.
bool Populate(Mutator& mutator, uint64_t depth, Node& node) {
  if (depth == 0) return true;
  for (Member<Node>* child : {&node.left, &node.right}) {
    Node* made = MakeGarbageCollected<Node>(mutator, nullptr, nullptr);
    if (made == nullptr) return false;
    *child = made;
  }
  return Populate(mutator, depth - 1, *node.left) && Populate(mutator, depth - 1, *node.right);
}

Node* MakeTopDown(Mutator& mutator, uint64_t depth) {
  Node* root = MakeGarbageCollected<Node>(mutator, nullptr, nullptr);
  return root != nullptr && Populate(mutator, depth, *root) ? root : nullptr;
}

// From the leaves up. Null: the heap is full.
Node* MakeBottomUp(Mutator& mutator, uint64_t depth) {
  if (depth == 0) return MakeGarbageCollected<Node>(mutator, nullptr, nullptr);
  Node* left = MakeBottomUp(mutator, depth - 1);
  Node* right = left == nullptr ? nullptr : MakeBottomUp(mutator, depth - 1);
  return right == nullptr ? nullptr : MakeGarbageCollected<Node>(mutator, left, right);
}

uint64_t CountNodes(Mutator& mutator, const Node* node, uint64_t height) {
  if (node == nullptr) return 0;
  if (height % 8 == 0) mutator.Safepoint();  // a walk of warm pages has no other
  return 1 + CountNodes(mutator, node->left, height + 1) +
         CountNodes(mutator, node->right, height + 1);
}

class GcBench : public Workload {
 public:
  GcBench() : Workload("gcbench", "Boehm's GCBench: trees built down and up, a large array", 1) {
    options().AddCount("depth", "Depth of the long-lived tree; the stretch tree has two more",
                       &depth_, kSmallestDepth, 30);
    options().AddCount("array", "Numbers in the long-lived array", &array_, 1, uint64_t{1} << 32);
  }

  // The original has depth 16 and 500,000 numbers.
  void SetScale(Scale scale) override {
    depth_ = scale == Scale::kTiny ? 11 : scale == Scale::kSmall ? 16 : 18;
    array_ = (uint64_t{500'000} << depth_) >> 16;
  }

  Status Prepare(Progress&) override { return Status::Ok(); }

  uint64_t LiveBytes() const override {
    const uint64_t later =
        (1 + threads_) * NodesOf(depth_) * ObjectBytes(sizeof(Node)) + array_ * sizeof(double);
    return std::max(NodesOf(depth_ + kStretch) * ObjectBytes(sizeof(Node)), later);
  }

  StatusOr<std::string> Execute(Session& session) override {
    Mutator& mutator = session.mutator();
    Persistent<Node> tree(session.heap());
    Persistent<Numbers> numbers(session.heap());
    uint64_t nodes = 0;
    {
      Phase build(session, "build");
      const Node* stretch = MakeBottomUp(mutator, depth_ + kStretch);
      if (stretch == nullptr) return HeapFull("building the stretch tree");
      nodes = CountNodes(mutator, stretch, 0);
      tree = MakeTopDown(mutator, depth_);
      numbers = Numbers::Make(mutator, array_);
      if (!tree || !numbers) return HeapFull("building what lives long");
      for (uint64_t i = 1; i < array_ / 2; ++i) {
        (*numbers)[i] = 1.0 / static_cast<double>(i);
        if (i % 4096 == 0) mutator.Safepoint();
      }
    }
    Phase measured(session, "measured", TreesInAll());
    for (uint64_t depth = kSmallestDepth; depth <= depth_; depth += 2) {
      const uint64_t trees = TreesOf(depth);
      for (const bool top_down : {true, false}) {
        std::atomic<uint64_t> counted{0};
        const Status status = RunTasks(mutator, threads_, trees, [&](Mutator& own, size_t) {
          const Node* made = top_down ? MakeTopDown(own, depth) : MakeBottomUp(own, depth);
          if (made == nullptr) return HeapFull("building short-lived trees");
          // Relaxed: RunTasks makes it visible.
          counted.fetch_add(CountNodes(own, made, 0), std::memory_order_relaxed);
          session.progress().Advance(1);
          return Status::Ok();
        });
        if (!status.ok()) return status;
        nodes += counted.load();
      }
    }
    nodes += CountNodes(mutator, tree.Get(), 0);
    double sum = 0;
    for (uint64_t i = 0; i < array_; ++i) {
      sum += (*numbers)[i];
      if (i % 4096 == 0) mutator.Safepoint();
    }
    return fmt::format("{} {:.6f}", nodes, sum);
  }

 private:
  // How many of that depth are built in each of the two ways.
  uint64_t TreesOf(uint64_t depth) const { return 2 * NodesOf(depth_ + kStretch) / NodesOf(depth); }

  uint64_t TreesInAll() const {
    uint64_t trees = 0;
    for (uint64_t depth = kSmallestDepth; depth <= depth_; depth += 2) trees += 2 * TreesOf(depth);
    return trees;
  }

  uint64_t depth_ = 0;
  uint64_t array_ = 0;
};

}  // namespace

std::unique_ptr<Workload> MakeGcBench() { return std::make_unique<GcBench>(); }

}  // namespace tandem::workloads
