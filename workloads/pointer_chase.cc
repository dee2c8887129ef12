// Pointer chase: follows references through objects of 64 bytes that form one cycle, and does
// nothing else: what a cache miss or a fetch costs is what a step costs.
//
// `sequential` links the objects in the order of their allocation, which is that of their
// addresses as long as the heap is fresh; `random` in one random cycle through all. Each thread
// starts elsewhere on the cycle and walks `steps` steps. The checksum depends on the order in
// which objects were visited.
#include <fmt/format.h>

#include <algorithm>
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

struct ChaseNode : GarbageCollected<ChaseNode> {
  void Trace(Visitor* visitor) const { visitor->Trace(next); }
  Member<ChaseNode> next;
  uint64_t value = 0;     // its place in the order of allocation
  uint64_t padding[5]{};  // with the header: 64 bytes, a cache line
};

constexpr uint64_t kNodeBytes = 64;
constexpr uint64_t kStepsPerSafepoint = 4096;

using ChaseNodes = Array<Member<ChaseNode>>;

class PointerChase : public Workload {
 public:
  PointerChase() : Workload("pointer-chase", "Follow references, in random order or not", 1) {
    options().AddChoice("pattern", "Order of the objects on the cycle", &pattern_,
                        {"random", "sequential"});
    options().AddBytes("working-set", "Bytes of all objects together", &working_set_, kNodeBytes,
                       uint64_t{1} << 37);
    options().AddCount("steps", "Steps of each thread; 0: once around", &steps_, 0, UINT64_MAX);
  }

  void SetScale(Scale scale) override {
    working_set_ = scale == Scale::kTiny    ? uint64_t{4} << 20
                   : scale == Scale::kSmall ? uint64_t{16} << 20
                                            : uint64_t{64} << 20;
    steps_ = 0;
  }

  Status Prepare(Progress&) override {
    if (steps_ == 0) steps_ = Nodes();
    return Status::Ok();
  }

  uint64_t LiveBytes() const override { return Nodes() * (kNodeBytes + sizeof(Member<ChaseNode>)); }

  StatusOr<std::string> Execute(Session& session) override {
    Persistent<ChaseNodes> starts(session.heap());
    {
      Phase build(session, "build");
      starts = Build(session.mutator());
      if (!starts) return HeapFull("building the cycle");
    }
    Phase measured(session, "measured", threads_ * steps_);
    std::vector<uint64_t> hashes(threads_);
    const Status status =
        RunTasks(session.mutator(), threads_, threads_, [&](Mutator& mutator, size_t i) {
          hashes[i] = Chase(mutator, (*starts)[i], session.progress());
          return Status::Ok();
        });
    if (!status.ok()) return status;
    uint64_t checksum = 0;
    for (const uint64_t hash : hashes) checksum = Mix(checksum ^ hash);
    return fmt::format("{:016x}", checksum);
  }

 private:
  uint64_t Nodes() const { return working_set_ / kNodeBytes; }

  // Returns where each thread starts. Null: the heap is full.
  ChaseNodes* Build(Mutator& mutator) const {
    const auto count = static_cast<uint32_t>(Nodes());
    ChaseNodes* nodes = ChaseNodes::Make(mutator, count);
    if (nodes == nullptr) return nullptr;
    for (uint32_t i = 0; i < count; ++i) {
      ChaseNode* node = MakeGarbageCollected<ChaseNode>(mutator);
      if (node == nullptr) return nullptr;
      node->value = i;
      (*nodes)[i] = node;
    }
    Link(mutator, nodes);
    ChaseNodes* starts = ChaseNodes::Make(mutator, threads_);
    if (starts == nullptr) return nullptr;
    for (uint64_t t = 0; t < threads_; ++t) (*starts)[t] = (*nodes)[t * count / threads_];
    return starts;
  }

  void Link(Mutator& mutator, ChaseNodes* nodes) const {
    const auto count = static_cast<uint32_t>(nodes->length());
    std::vector<uint32_t> successor;
    if (pattern_ == "random") successor = RandomCycle(count, seed_);
    for (uint32_t i = 0; i < count; ++i) {
      const uint32_t next = successor.empty() ? (i + 1) % count : successor[i];
      (*nodes)[i]->next = (*nodes)[next];
      if (i % kStepsPerSafepoint == 0) mutator.Safepoint();
    }
  }

  uint64_t Chase(Mutator& mutator, const ChaseNode* node, Progress& progress) const {
    uint64_t hash = 0;
    for (uint64_t step = 0; step < steps_;) {
      const uint64_t stop = std::min(steps_, step + kStepsPerSafepoint);
      progress.Advance(stop - step);
      for (; step < stop; ++step) {
        hash = hash * 0x9e3779b97f4a7c15u + node->value;
        node = node->next;
      }
      mutator.Safepoint();
    }
    return hash;
  }

  std::string pattern_ = "random";
  uint64_t working_set_ = 0;
  uint64_t steps_ = 0;
};

}  // namespace

std::unique_ptr<Workload> MakePointerChase() { return std::make_unique<PointerChase>(); }

}  // namespace tandem::workloads
