// Transitive closure, as Spark's example has it: in each round the paths that are new are joined
// with all edges, and of what comes out that which was not there before is kept. What comes out of
// a join is objects, too; those that are kept are made again.
#include <atomic>

#include "workloads/graph_rounds.h"
#include "workloads/random.h"

namespace tandem::workloads {

namespace {

// That the source leads to `to`.
struct Path : GarbageCollected<Path> {
  Path(const Member<Vertex>& t, uint32_t number, Path* in_bucket, Path* n)
      : to(t), next_in_bucket(in_bucket), next_new(n), to_number(number) {}
  void Trace(Visitor* visitor) const {
    visitor->Trace(to);
    visitor->Trace(next_in_bucket);
    visitor->Trace(next_new);
  }
  Member<Vertex> to;
  Member<Path> next_in_bucket;
  Member<Path> next_new;  // found in the same round
  const uint32_t to_number;
};

// What comes out of a join.
struct Joined : GarbageCollected<Joined> {
  Joined(const Member<Vertex>& t, uint32_t number, Joined* n) : to(t), next(n), to_number(number) {}
  void Trace(Visitor* visitor) const {
    visitor->Trace(to);
    visitor->Trace(next);
  }
  Member<Vertex> to;
  Member<Joined> next;
  const uint32_t to_number;
};

// Puts the edges that begin where a path ends in front of `list`. False: the heap is full.
bool Join(Mutator& mutator, const Vertex& end, Joined** list) {
  for (const Edge* edge = end.edges; edge != nullptr; edge = edge->next) {
    *list = MakeGarbageCollected<Joined>(mutator, edge->to, edge->to_number, *list);
    if (*list == nullptr) return false;
  }
  return true;
}

// Where one source leads: a hash table that doubles when there are as many paths as buckets.
class PathSet : public GarbageCollected<PathSet> {
 public:
  using Buckets = Array<Member<Path>>;

  // Null: the heap is full.
  static PathSet* Make(Mutator& mutator) {
    Buckets* buckets = Buckets::Make(mutator, 8);
    return buckets == nullptr ? nullptr : MakeGarbageCollected<PathSet>(mutator, buckets);
  }

  explicit PathSet(Buckets* buckets) : buckets_(buckets) {}
  void Trace(Visitor* visitor) const {
    visitor->Trace(buckets_);
    visitor->Trace(newest_);
  }

  // Adds paths along the edges of the source. False: the heap is full.
  [[nodiscard]] bool Begin(Mutator& mutator, const Vertex& source) {
    Joined* joined = nullptr;
    return Join(mutator, source, &joined) && AddAll(mutator, joined);
  }

  // Adds paths along the edges that begin where the newest paths end; they are the newest now.
  // False: the heap is full.
  [[nodiscard]] bool Extend(Mutator& mutator) {
    Joined* joined = nullptr;
    for (const Path* path = newest_; path != nullptr; path = path->next_new) {
      if (!Join(mutator, *path->to, &joined)) return false;
    }
    newest_ = nullptr;
    return AddAll(mutator, joined);
  }

  bool has_newest() const { return static_cast<bool>(newest_); }
  uint64_t size() const { return size_; }

 private:
  Member<Path>& BucketOf(uint32_t number) const {
    Buckets& buckets = *buckets_;
    return buckets[Mix(number) & (buckets.length() - 1)];
  }

  bool Contains(uint32_t number) const {
    for (const Path* path = BucketOf(number); path != nullptr; path = path->next_in_bucket) {
      if (path->to_number == number) return true;
    }
    return false;
  }

  bool AddAll(Mutator& mutator, const Joined* joined) {
    for (; joined != nullptr; joined = joined->next) {
      if (Contains(joined->to_number)) continue;
      if (size_ == buckets_->length() && !Grow(mutator)) return false;
      Member<Path>& bucket = BucketOf(joined->to_number);
      Path* path = MakeGarbageCollected<Path>(mutator, joined->to, joined->to_number, bucket.Get(),
                                              newest_.Get());
      if (path == nullptr) return false;
      bucket = path;
      newest_ = path;
      ++size_;
    }
    return true;
  }

  bool Grow(Mutator& mutator) {
    Buckets* old = buckets_;
    Buckets* grown = Buckets::Make(mutator, 2 * old->length());
    if (grown == nullptr) return false;
    buckets_ = grown;
    for (size_t i = 0; i < old->length(); ++i) {
      for (Path* path = (*old)[i]; path != nullptr;) {
        Path* next = path->next_in_bucket;
        Member<Path>& bucket = BucketOf(path->to_number);
        path->next_in_bucket = bucket;
        bucket = path;
        path = next;
      }
    }
    return true;
  }

  Member<Buckets> buckets_;  // a power of two of them
  Member<Path> newest_;
  uint64_t size_ = 0;
};

using PathSets = Array<Member<PathSet>>;  // by source

}  // namespace

StatusOr<VertexValues> TransitiveClosure(const GraphRun& run) {
  Mutator& mutator = run.session.mutator();
  const Persistent<PathSets> sets(run.session.heap(), PathSets::Make(mutator, run.sources.size()));
  if (!sets) return GraphHeapFull();
  for (size_t i = 0; i < run.sources.size(); ++i) {
    PathSet* set = PathSet::Make(mutator);
    if (set == nullptr || !set->Begin(mutator, *run.graph->vertex(run.sources[i]))) {
      return GraphHeapFull();
    }
    (*sets)[i] = set;
  }
  // Relaxed, all: RunTasks orders them.
  std::atomic<bool> more{true};
  while (more.exchange(false, std::memory_order_relaxed)) {
    Status status = ForAllPartitions(run, [&](Mutator& own, uint32_t partition) {
      for (size_t i = partition; i < sets->length(); i += kGraphPartitions) {
        PathSet& set = *(*sets)[i];
        if (!set.Extend(own)) return false;
        if (set.has_newest()) more.store(true, std::memory_order_relaxed);
      }
      own.Safepoint();
      return true;
    });
    if (!status.ok()) return status;
  }
  VertexValues reached(run.graph->size());
  for (size_t i = 0; i < run.sources.size(); ++i) reached[run.sources[i]] = (*sets)[i]->size();
  return reached;
}

}  // namespace tandem::workloads
