// Breadth-first search, level by level: vertices that were reached in the last round send the next
// level along all their edges.
#include <atomic>

#include "workloads/graph_rounds.h"
#include "workloads/random.h"

namespace tandem::workloads {

namespace {

struct Reached : GarbageCollected<Reached> {
  Reached(const Member<Vertex>& v, Reached* n) : vertex(v), next(n) {}
  void Trace(Visitor* visitor) const {
    visitor->Trace(vertex);
    visitor->Trace(next);
  }
  Member<Vertex> vertex;
  Member<Reached> next;
};

using Frontier = Array<Member<Reached>>;  // by partition

class Search {
 public:
  Search(const GraphRun& run, const Persistent<Mailboxes>& mailboxes)
      : run_(run),
        graph_(*run.graph),
        mailboxes_(mailboxes),
        frontier_(run.session.heap(), Frontier::Make(run.session.mutator(), kGraphPartitions)) {}

  Status From(uint32_t source) {
    if (!frontier_) return GraphHeapFull();
    Status status = SetAllValues(run_, kUnreached);
    if (!status.ok()) return status;
    if (!Reach(run_.session.mutator(), *graph_.vertex(source), 0)) return GraphHeapFull();
    // Relaxed, all: RunTasks orders them.
    std::atomic<bool> more{true};
    for (uint64_t level = 1; status.ok() && more.exchange(false, std::memory_order_relaxed);
         ++level) {
      status = ForAllPartitions(run_, [&](Mutator& mutator, uint32_t partition) {
        return SendAll(mutator, partition, level);
      });
      if (!status.ok()) break;
      status = ForAllPartitions(run_, [&](Mutator& mutator, uint32_t partition) {
        return mailboxes_->ReceiveAll(mutator, partition, [&](Vertex& vertex, uint64_t content) {
          if (vertex.value->value != kUnreached) return true;
          more.store(true, std::memory_order_relaxed);
          return Reach(mutator, vertex, content);
        });
      });
    }
    return status;
  }

 private:
  bool Reach(Mutator& mutator, Vertex& vertex, uint64_t level) {
    Member<Reached>& list = (*frontier_)[graph_.PartitionOf(vertex.number)];
    Box* value = MakeGarbageCollected<Box>(mutator, level);
    Reached* reached = MakeGarbageCollected<Reached>(mutator, &vertex, list.Get());
    if (value == nullptr || reached == nullptr) return false;
    vertex.value = value;
    list = reached;
    return true;
  }

  bool SendAll(Mutator& mutator, uint32_t partition, uint64_t level) {
    const Reached* reached = (*frontier_)[partition];
    (*frontier_)[partition] = nullptr;
    for (; reached != nullptr; reached = reached->next) {
      Box* content = MakeGarbageCollected<Box>(mutator, level);
      if (content == nullptr ||
          !mailboxes_->SendToAll(mutator, graph_, partition, *reached->vertex, content)) {
        return false;
      }
    }
    return true;
  }

  const GraphRun& run_;
  const Graph& graph_;
  const Persistent<Mailboxes>& mailboxes_;
  Persistent<Frontier> frontier_;
};

}  // namespace

StatusOr<VertexValues> BreadthFirstSearch(const GraphRun& run, uint64_t* all_searches) {
  const Persistent<Mailboxes> mailboxes(run.session.heap(), Mailboxes::Make(run.session.mutator()));
  if (!mailboxes) return GraphHeapFull();
  Search search(run, mailboxes);
  VertexValues levels;
  for (const uint32_t source : run.sources) {
    if (Status status = search.From(source); !status.ok()) return status;
    levels = ValuesOf(run);
    for (const uint64_t level : levels) *all_searches = Mix(*all_searches ^ level);
  }
  return levels;
}

}  // namespace tandem::workloads
