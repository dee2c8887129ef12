// Splay, the known benchmark of V8's collector: a splay tree of nodes with payloads, in which nodes
// are steadily replaced by others.
//
// A payload is a tree of small objects, as the original's (splay_tree.h). A step inserts a node
// under a new random key, then removes the node with the greatest key below that one, or the new
// one itself if there is none: so the size stays as it is, and what dies has mostly lived for long.
// Every access moves a node to the root, which stores into old objects all the time. The checksum
// is made of what was removed, and of all keys in the tree at the end.
#include <fmt/format.h>

#include <memory>
#include <string>

#include "tandem/persistent.h"
#include "workloads/random.h"
#include "workloads/splay_tree.h"
#include "workloads/workload.h"

namespace tandem::workloads {

namespace {

constexpr uint64_t kStepsPerSafepoint = 256;

class Splay : public Workload {
 public:
  Splay() : Workload("splay", "V8's splay: replace the nodes of a splay tree", 1) {
    options().AddCount("nodes", "Nodes of the tree", &nodes_, 1, uint64_t{1} << 28);
    options().AddCount("payload", "Depth of a node's payload", &payload_, 0, 20);
    options().AddCount("steps", "Nodes that are replaced; 0: four times the tree", &steps_wanted_,
                       0, uint64_t{1} << 32);
  }

  // The original has 8000 nodes with payloads of depth 5.
  void SetScale(Scale scale) override {
    nodes_ = scale == Scale::kTiny ? 400 : scale == Scale::kSmall ? 8000 : 40'000;
    payload_ = 5;
    steps_wanted_ = 0;
  }

  Status Prepare(Progress&) override {
    steps_ = steps_wanted_ != 0 ? steps_wanted_ : 4 * nodes_;
    return Status::Ok();
  }

  uint64_t LiveBytes() const override {
    const uint64_t leaf =
        ObjectBytes(sizeof(SplayPayload::Numbers) + SplayPayload::kNumbers * sizeof(uint64_t)) +
        ObjectBytes(sizeof(Text) + 50);
    const uint64_t leaves = uint64_t{1} << payload_;
    return nodes_ * (leaves * leaf + (2 * leaves - 1) * ObjectBytes(sizeof(SplayPayload)) +
                     ObjectBytes(sizeof(SplayTree::Node)));
  }

  StatusOr<std::string> Execute(Session& session) override {
    Mutator& mutator = session.mutator();
    Persistent<SplayTree> tree(session.heap(), MakeGarbageCollected<SplayTree>(mutator));
    if (!tree) return HeapFull("making the tree");
    Random random(seed_);
    {
      Phase build(session, "build", nodes_);
      for (uint64_t i = 0; i < nodes_; ++i) {
        if (!InsertNew(mutator, *tree, random, nullptr)) return HeapFull("filling the tree");
        if (i % kStepsPerSafepoint == 0) session.progress().Advance(kStepsPerSafepoint);
      }
    }
    uint64_t checksum = 0;
    {
      Phase measured(session, "measured", steps_);
      for (uint64_t i = 0; i < steps_; ++i) {
        uint64_t key;
        if (!InsertNew(mutator, *tree, random, &key)) return HeapFull("replacing nodes");
        const SplayTree::Node* below = tree->GreatestBelow(key);
        const SplayTree::Node* removed = tree->Remove(below == nullptr ? key : below->key);
        checksum = Mix(checksum ^ removed->payload->Hash());
        if (i % kStepsPerSafepoint == 0) session.progress().Advance(kStepsPerSafepoint);
      }
    }
    Phase check(session, "check", nodes_);
    uint64_t left = 0;
    for (const SplayTree::Node* node = tree->GreatestBelow(UINT64_MAX); node != nullptr;
         node = tree->GreatestBelow(node->key)) {
      checksum = Mix(checksum ^ node->key);
      if (++left % kStepsPerSafepoint == 0) mutator.Safepoint();
    }
    return fmt::format("{:016x}-{}", checksum, left);
  }

 private:
  bool InsertNew(Mutator& mutator, SplayTree& tree, Random& random, uint64_t* inserted) const {
    uint64_t key = random.Next();
    while (tree.Find(key) != nullptr) key = random.Next();
    SplayPayload* payload = SplayPayload::Make(mutator, payload_, key);
    if (inserted != nullptr) *inserted = key;
    return payload != nullptr && tree.Insert(mutator, key, payload);
  }

  uint64_t nodes_ = 0;
  uint64_t payload_ = 0;
  uint64_t steps_wanted_ = 0;
  uint64_t steps_ = 0;
};

}  // namespace

std::unique_ptr<Workload> MakeSplay() { return std::make_unique<Splay>(); }

}  // namespace tandem::workloads
