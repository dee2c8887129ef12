// A key-value store under the mixes of YCSB and those of MemLiner's evaluation.
//
// Prepare() decides on all operations (kv_trace.h). The store falls into shards by key; each thread
// performs the operations of its own shards, in the order of the trace, so that there are no locks,
// and the answer depends neither on timing nor on how many threads there are. The checksum is made
// of every value that was read, together with its place in the trace, and of what is in the store
// at the end.
#include <fmt/format.h>

#include <array>
#include <atomic>
#include <iterator>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "tandem/array.h"
#include "tandem/persistent.h"
#include "workloads/kv_store.h"
#include "workloads/kv_trace.h"
#include "workloads/latency.h"
#include "workloads/random.h"
#include "workloads/tasks.h"
#include "workloads/workload.h"

namespace tandem::workloads {

namespace {

constexpr uint64_t kOperationsPerSafepoint = 1024;

using KvShards = Array<Member<KvShard>>;

constexpr std::pair<KvAction, const char*> kMeasuredActions[] = {
    {KvAction::kRead, "kv.read"},
    {KvAction::kUpdate, "kv.update"},
    {KvAction::kInsert, "kv.insert"},
    {KvAction::kScan, "kv.scan"},
    {KvAction::kReadModifyWrite, "kv.read_modify_write"},
    {KvAction::kDrop, "kv.drop"},
};

// By action.
using KvLatencies = std::array<LatencyHistogram, std::size(kMeasuredActions)>;

// One thread's work on its shards.
class Worker {
 public:
  Worker(Mutator& mutator, const KvShards& shards, KvValueSizes sizes)
      : mutator_(mutator), shards_(shards), sizes_(sizes) {}

  // `place` is the operation's in the trace, counted from 1, and what makes new values differ from
  // all others. False: the heap is full.
  bool Perform(const KvOperation& operation, uint64_t place) {
    const KvKey key(operation.key);
    KvShard& shard = *shards_[operation.shard];
    switch (operation.action) {
      case KvAction::kRead:
        Read(shard.Find(key), place);
        return true;
      case KvAction::kUpdate:
        return Replace(shard.Find(key), place);
      case KvAction::kInsert: {
        KvValue* value = MakeValue(place);
        return value != nullptr && shard.Insert(mutator_, key, value);
      }
      case KvAction::kScan:
        Scan(shard, key, operation.length, place);
        return true;
      case KvAction::kReadModifyWrite: {
        KvEntry* entry = shard.Find(key);
        return Replace(entry, Read(entry, place) + place);
      }
      case KvAction::kDrop:
        if (!shard.Remove(key)) sum_ += Mix(place);
        return true;
    }
    return true;
  }

  // Of all values read. It does not matter in which order they were added.
  uint64_t sum() const { return sum_; }

 private:
  KvValue* MakeValue(uint64_t stamp) { return KvValue::Make(mutator_, sizes_.Of(stamp), stamp); }

  // Returns the value's hash. A key that is missing changes the sum too: none ever should be.
  uint64_t Read(KvEntry* entry, uint64_t place) {
    const uint64_t hash = entry == nullptr ? 0 : entry->value->Hash();
    sum_ += Mix(hash ^ Mix(place));
    return hash;
  }

  bool Replace(KvEntry* entry, uint64_t stamp) {
    KvValue* value = MakeValue(stamp);
    if (value == nullptr) return false;
    if (entry == nullptr) {
      sum_ += Mix(stamp);
      return true;
    }
    entry->value = value;
    return true;
  }

  void Scan(const KvShard& shard, const KvKey& from, unsigned length, uint64_t place) {
    uint64_t hash = 0;
    for (const auto* node = shard.index()->Seek(from.number()); node != nullptr && length > 0;
         node = node->next(), --length) {
      hash = Mix(hash ^ node->entry()->value->Hash());
    }
    sum_ += Mix(hash ^ Mix(place));
  }

  Mutator& mutator_;
  const KvShards& shards_;
  const KvValueSizes sizes_;
  uint64_t sum_ = 0;
};

class KeyValueStore : public Workload {
 public:
  KeyValueStore() : Workload("kv", "A key-value store under YCSB's mixes and others", 1) {
    options().AddChoice("mix", "What operations there are", &mix_, KvMixNames());
    options().AddChoice("distribution", "How popular keys are", &distribution_,
                        {"zipf", "uniform"});
    options().AddCount("records", "Records in the store; insertions drop the oldest", &records_, 1,
                       uint64_t{1} << 28);
    options().AddCount("operations", "Operations; 0: eight for each record, with scans 1/4",
                       &operations_, 0, uint64_t{1} << 28);
    options().AddBytes("value-min", "The shortest value", &sizes_.min, 1, uint64_t{1} << 20);
    options().AddBytes("value-max", "The longest value", &sizes_.max, 1, uint64_t{1} << 20);
  }

  void SetScale(Scale scale) override {
    records_ = scale == Scale::kTiny ? 8192 : scale == Scale::kSmall ? 65536 : 262144;
    operations_ = 0;
    sizes_ = {64, 448};
  }

  Status Prepare(Progress& progress) override {
    if (sizes_.min > sizes_.max) {
      return Status::InvalidArgument(fmt::format(
          "--value-min: '{}' is above --value-max; valid are 1 to {}", sizes_.min, sizes_.max));
    }
    if (threads_ > kKvShards) {
      return Status::InvalidArgument(
          fmt::format("--threads: '{}' is not valid: each needs a shard; valid are 1 to {}",
                      threads_, kKvShards));
    }
    if (operations_ == 0) {
      operations_ = KvMixScans(mix_) ? (records_ + 3) / 4 : 8 * records_;
    }
    progress.Begin("trace", 0);
    trace_ = MakeKvTrace({mix_, distribution_, records_, operations_, seed_});
    return Status::Ok();
  }

  uint64_t LiveBytes() const override {
    const uint64_t mean_value = MeanKvValueBytes(sizes_);
    uint64_t record =
        ObjectBytes(sizeof(Text) + KvKey::kLength) + ObjectBytes(sizeof(KvEntry)) + mean_value;
    if (KvMixScans(mix_)) record += ObjectBytes(KvOrderedIndex::kMeanNodeBytes);
    return WithHoles(records_ * record) +
           kKvShards * KvShard::BucketsFor(records_ / kKvShards) * sizeof(Member<KvEntry>);
  }

  StatusOr<std::string> Execute(Session& session) override {
    Persistent<KvShards> shards(session.heap());
    {
      Phase build(session, "build", records_);
      shards = Load(session);
      if (!shards) return HeapFull("loading the store");
    }
    uint64_t checksum = 0;
    {
      Phase measured(session, "measured", trace_.size());
      StatusOr<uint64_t> sum = PerformAll(session, *shards);
      if (!sum.ok()) return sum.status();
      checksum = *sum;
    }
    Phase check(session, "check", records_);
    return fmt::format("{:016x}", Mix(checksum ^ HashContent(session, *shards)));
  }

 private:
  // The shards. Null: the heap is full.
  KvShards* Load(Session& session) const {
    Mutator& mutator = session.mutator();
    KvShards* shards = KvShards::Make(mutator, kKvShards);
    if (shards == nullptr) return nullptr;
    for (size_t i = 0; i < kKvShards; ++i) {
      KvShard* shard = KvShard::Make(mutator, records_ / kKvShards, KvMixScans(mix_));
      if (shard == nullptr) return nullptr;
      (*shards)[i] = shard;
    }
    for (uint64_t id = 0; id < records_; ++id) {
      const KvKey key(id);
      const uint64_t stamp = ~id;
      KvValue* value = KvValue::Make(mutator, sizes_.Of(stamp), stamp);
      if (value == nullptr || !(*shards)[key.shard()]->Insert(mutator, key, value)) return nullptr;
      if ((id + 1) % kOperationsPerSafepoint == 0) {
        session.progress().Advance(kOperationsPerSafepoint);
      }
    }
    return shards;
  }

  // Returns the sum of what was read.
  StatusOr<uint64_t> PerformAll(Session& session, const KvShards& shards) const {
    std::atomic<uint64_t> sum{0};
    std::mutex mutex;
    const auto latencies = std::make_unique<KvLatencies>();
    const Status status =
        RunTasks(session.mutator(), threads_, threads_, [&](Mutator& mutator, size_t task) {
          Worker worker(mutator, shards, sizes_);
          uint64_t done = 0;
          const auto own = std::make_unique<KvLatencies>();
          LapClock clock;
          for (size_t i = 0; i < trace_.size(); ++i) {
            if (trace_[i].shard % threads_ != task) continue;
            if (!worker.Perform(trace_[i], i + 1)) return HeapFull("making a value or a record");
            (*own)[static_cast<size_t>(trace_[i].action)].Record(clock.Lap());
            if (++done % kOperationsPerSafepoint != 0) continue;
            session.progress().Advance(kOperationsPerSafepoint);
            mutator.Safepoint();
          }
          // Relaxed: RunTasks makes it visible.
          sum.fetch_add(worker.sum(), std::memory_order_relaxed);
          std::lock_guard lock(mutex);
          for (size_t i = 0; i < own->size(); ++i) (*latencies)[i].Merge((*own)[i]);
          return Status::Ok();
        });
    if (!status.ok()) return status;
    for (const auto& [action, name] : kMeasuredActions) {
      const LatencyHistogram& latency = (*latencies)[static_cast<size_t>(action)];
      if (latency.Count() != 0) latency.AddTo(name, session.counters());
    }
    return sum.load();
  }

  // Of all records, in the order of their insertion, which is about that of their addresses: so
  // most pages are needed once.
  uint64_t HashContent(Session& session, const KvShards& shards) const {
    uint64_t oldest = 0;
    for (const KvOperation& operation : trace_) oldest += operation.action == KvAction::kDrop;
    uint64_t hash = 0;
    for (uint64_t i = 1; i <= records_; ++i) {
      const KvKey key(oldest + i - 1);
      const KvEntry* entry = shards[key.shard()]->Find(key);
      hash = Mix(hash ^ (entry == nullptr ? i : entry->value->Hash()));
      if (i % kOperationsPerSafepoint != 0) continue;
      session.progress().Advance(kOperationsPerSafepoint);
      session.mutator().Safepoint();
    }
    return hash;
  }

  std::string mix_ = "a";
  std::string distribution_ = "zipf";
  uint64_t records_ = 0;
  uint64_t operations_ = 0;
  KvValueSizes sizes_{};
  std::vector<KvOperation> trace_;
};

}  // namespace

std::unique_ptr<Workload> MakeKeyValueStore() { return std::make_unique<KeyValueStore>(); }

}  // namespace tandem::workloads
