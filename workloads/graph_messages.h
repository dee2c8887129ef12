// Mailboxes: what vertices send one another between two steps of an algorithm.
//
// There is a list of messages for each pair of partitions: the sender's task writes it, and after
// that task has ended the receiver's one reads and empties it. RunTasks orders the two, so there
// are no locks, and the order of messages does not depend on which thread was first. What has been
// read is garbage.
#pragma once

#include <cstdint>

#include "workloads/graph_records.h"

namespace tandem::workloads {

struct Message : GarbageCollected<Message> {
  Message(const Member<Vertex>& t, Box* c, Message* n) : to(t), content(c), next(n) {}
  void Trace(Visitor* visitor) const {
    visitor->Trace(to);
    visitor->Trace(content);
    visitor->Trace(next);
  }
  Member<Vertex> to;
  Member<Box> content;
  Member<Message> next;
};

class Mailboxes : public GarbageCollected<Mailboxes> {
 public:
  using Lists = Array<Member<Message>>;

  // Null: the heap is full.
  static Mailboxes* Make(Mutator& mutator) {
    Lists* lists = Lists::Make(mutator, kGraphPartitions * kGraphPartitions);
    return lists == nullptr ? nullptr : MakeGarbageCollected<Mailboxes>(mutator, lists);
  }

  explicit Mailboxes(Lists* lists) : lists_(lists) {}
  void Trace(Visitor* visitor) const { visitor->Trace(lists_); }

  // Along all edges of a vertex of partition `from`. The receivers are not touched. False: the heap
  // is full.
  [[nodiscard]] bool SendToAll(Mutator& mutator, const Graph& graph, uint32_t from,
                               const Vertex& sender, Box* content) {
    for (const Edge* edge = sender.edges; edge != nullptr; edge = edge->next) {
      Member<Message>& list = ListOf(from, graph.PartitionOf(edge->to_number));
      Message* message = MakeGarbageCollected<Message>(mutator, edge->to, content, list.Get());
      if (message == nullptr) return false;
      list = message;
    }
    return true;
  }

  // Calls receive(Vertex&, uint64_t), which returns false if the heap is full, for all messages to
  // a partition, and empties its lists.
  template <typename F>
  [[nodiscard]] bool ReceiveAll(Mutator& mutator, uint32_t to, const F& receive) {
    for (uint32_t from = 0; from < kGraphPartitions; ++from) {
      const Message* message = ListOf(from, to);
      ListOf(from, to) = nullptr;
      for (; message != nullptr; message = message->next) {
        if (!receive(*message->to, message->content->value)) return false;
      }
      mutator.Safepoint();
    }
    return true;
  }

 private:
  Member<Message>& ListOf(uint32_t from, uint32_t to) {
    return (*lists_)[from * kGraphPartitions + to];
  }

  Member<Lists> lists_;
};

}  // namespace tandem::workloads
