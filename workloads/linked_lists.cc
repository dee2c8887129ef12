// Linked lists that lie interleaved: node k of all lists, then node k + 1 of all lists, and so
// on, so that walking one of them uses one node in `lists` of each page.
//
// In each round every list is walked from its head, one after the other (or several at a time,
// with more threads), and every `churn`-th node is replaced by a new one with a new value, which
// leaves garbage all over the heap. The checksum is made of all values in the order they were
// met.
#include <fmt/format.h>

#include <memory>
#include <string>
#include <vector>

#include "tandem/array.h"
#include "tandem/persistent.h"
#include "workloads/random.h"
#include "workloads/tasks.h"
#include "workloads/workload.h"

namespace tandem::workloads {

namespace {

struct ListNode : GarbageCollected<ListNode> {
  ListNode(uint64_t v, ListNode* n) : next(n), value(v) {}
  void Trace(Visitor* visitor) const { visitor->Trace(next); }
  Member<ListNode> next;
  const uint64_t value;
};

using Lists = Array<Member<ListNode>>;

constexpr uint64_t kNodesPerSafepoint = 4096;

class LinkedLists : public Workload {
 public:
  LinkedLists() : Workload("linked-lists", "Walk interleaved lists, replacing some nodes", 1) {
    options().AddCount("lists", "How many lists there are", &lists_, 1, 1 << 20);
    options().AddCount("length", "Nodes of each list", &length_, 1, uint64_t{1} << 32);
    options().AddCount("rounds", "How often each list is walked", &rounds_, 1, 1 << 20);
    options().AddCount("churn", "Replace each churn-th node in a round; 0: none", &churn_, 0,
                       uint64_t{1} << 32);
  }

  void SetScale(Scale scale) override {
    lists_ = 16;
    length_ = scale == Scale::kTiny ? 4096 : scale == Scale::kSmall ? 32768 : 131072;
    rounds_ = 4;
    churn_ = 4;
  }

  Status Prepare(Progress&) override { return Status::Ok(); }

  uint64_t LiveBytes() const override { return lists_ * length_ * ObjectBytes(sizeof(ListNode)); }

  StatusOr<std::string> Execute(Session& session) override {
    Persistent<Lists> heads(session.heap());
    {
      Phase build(session, "build", length_);
      heads = Build(session);
      if (!heads) return HeapFull("building the lists");
    }
    Phase measured(session, "measured", rounds_ * lists_);
    std::vector<uint64_t> hashes(lists_);
    for (uint64_t round = 0; round < rounds_; ++round) {
      const Status status =
          RunTasks(session.mutator(), threads_, lists_, [&](Mutator& mutator, size_t i) {
            if (!Walk(mutator, (*heads)[i], &hashes[i])) return HeapFull("replacing nodes");
            session.progress().Advance(1);
            return Status::Ok();
          });
      if (!status.ok()) return status;
    }
    uint64_t checksum = 0;
    for (const uint64_t hash : hashes) checksum = Mix(checksum ^ hash);
    return fmt::format("{:016x}", checksum);
  }

 private:
  // The heads. Null: the heap is full. Lists grow at their heads, all at once.
  Lists* Build(Session& session) const {
    Lists* heads = Lists::Make(session.mutator(), lists_);
    if (heads == nullptr) return nullptr;
    Random random(seed_);
    for (uint64_t k = 0; k < length_; ++k) {
      for (uint64_t i = 0; i < lists_; ++i) {
        Member<ListNode>& head = (*heads)[i];
        ListNode* node =
            MakeGarbageCollected<ListNode>(session.mutator(), random.Next(), head.Get());
        if (node == nullptr) return nullptr;
        head = node;
      }
      session.progress().Advance(1);
    }
    return heads;
  }

  // Walks one list. False: the heap is full.
  bool Walk(Mutator& mutator, ListNode* node, uint64_t* hash) const {
    for (uint64_t at = 1; node != nullptr; ++at) {
      *hash = *hash * 0x9e3779b97f4a7c15u + node->value;
      ListNode* next = node->next;
      if (churn_ != 0 && at % churn_ == 0 && next != nullptr) {
        next = MakeGarbageCollected<ListNode>(mutator, Mix(next->value), next->next.Get());
        if (next == nullptr) return false;
        node->next = next;
      }
      if (at % kNodesPerSafepoint == 0) mutator.Safepoint();
      node = next;
    }
    return true;
  }

  uint64_t lists_ = 0;
  uint64_t length_ = 0;
  uint64_t rounds_ = 0;
  uint64_t churn_ = 0;
};

}  // namespace

std::unique_ptr<Workload> MakeLinkedLists() { return std::make_unique<LinkedLists>(); }

}  // namespace tandem::workloads
