// A look-aside cache in front of a slow store, as QuickCached and memcached are used: what is not
// there is made and put in, and drops what was not used for longest.
//
// The cache falls into shards by key, each of which draws its keys itself; a thread has whole
// shards, so that there are no locks, and the answer depends neither on timing nor on how many
// threads there are. The checksum is made of all values that were got, hits and misses.
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "tandem/persistent.h"
#include "workloads/latency.h"
#include "workloads/lru_cache.h"
#include "workloads/tasks.h"
#include "workloads/workload.h"
#include "workloads/zipf.h"

namespace tandem::workloads {

namespace {

constexpr uint64_t kShards = 32;
constexpr uint64_t kOperationsPerSafepoint = 1024;
constexpr double kZipfExponent = 0.99;  // YCSB's

using Shards = Array<Member<LruCache>>;

// What a shard's operations have come to; native.
struct ShardOutcome {
  uint64_t hash = 0;

  LatencyHistogram hit;
  LatencyHistogram miss;
  LatencyHistogram put;
};

class Cache : public Workload {
 public:
  Cache() : Workload("cache", "An LRU cache in front of a store: misses drop old entries", 1) {
    options().AddCount("entries", "Entries that the cache has room for", &entries_, kShards,
                       uint64_t{1} << 28);
    options().AddCount("keys", "Keys there are; 0: four for each entry", &keys_wanted_, 0,
                       uint64_t{1} << 28);
    options().AddCount("operations", "Operations; 0: eight for each entry", &operations_wanted_, 0,
                       uint64_t{1} << 32);
    options().AddCount("puts", "Of a hundred operations, those that put a new value in", &puts_, 0,
                       100);
    options().AddChoice("distribution", "How popular keys are", &distribution_,
                        {"zipf", "uniform"});
    options().AddBytes("value-min", "The shortest value", &sizes_.min, 1, uint64_t{1} << 20);
    options().AddBytes("value-max", "The longest value", &sizes_.max, 1, uint64_t{1} << 20);
  }

  void SetScale(Scale scale) override {
    entries_ = scale == Scale::kTiny ? 4096 : scale == Scale::kSmall ? 65536 : 262144;
    keys_wanted_ = operations_wanted_ = 0;
    puts_ = 20;
    sizes_ = {64, 448};
  }

  Status Prepare(Progress& progress) override {
    if (sizes_.min > sizes_.max) {
      return Status::InvalidArgument(fmt::format(
          "--value-min: '{}' is above --value-max; valid are 1 to {}", sizes_.min, sizes_.max));
    }
    const uint64_t keys = keys_wanted_ != 0 ? keys_wanted_ : 4 * entries_;
    keys_of_shard_ = std::max<uint64_t>(keys / kShards, 1);
    const uint64_t operations = operations_wanted_ != 0 ? operations_wanted_ : 8 * entries_;
    operations_of_shard_ = (operations + kShards - 1) / kShards;
    progress.Begin("popularity", 0);
    zipf_ =
        distribution_ == "zipf" ? std::make_unique<Zipf>(keys_of_shard_, kZipfExponent) : nullptr;
    return Status::Ok();
  }

  uint64_t LiveBytes() const override {
    const uint64_t entry = ObjectBytes(sizeof(LruCache::Entry)) +
                           ObjectBytes(sizeof(Text) + KvKey::kLength) + MeanKvValueBytes(sizes_);
    return WithHoles(entries_ * entry) +
           kShards * LruCache::BucketsFor(entries_ / kShards) * sizeof(Member<LruCache::Entry>);
  }

  StatusOr<std::string> Execute(Session& session) override {
    const Persistent<Shards> shards(session.heap(), Shards::Make(session.mutator(), kShards));
    if (!shards) return HeapFull("making the cache");
    {
      Phase build(session, "build", kShards);
      if (Status status = Fill(session, *shards); !status.ok()) return status;
    }
    std::vector<ShardOutcome> outcomes(kShards);
    {
      Phase measured(session, "measured", kShards * operations_of_shard_);
      const Status status =
          RunTasks(session.mutator(), threads_, threads_, [&](Mutator& mutator, size_t task) {
            return OperateAll(session.progress(), mutator, task, *shards, outcomes)
                       ? Status::Ok()
                       : HeapFull("putting values into the cache");
          });
      if (!status.ok()) return status;
    }
    return Report(session, *shards, outcomes);
  }

 private:
  // A key of the shard, by popularity.
  KvKey DrawKey(Random& random, uint64_t shard) const {
    const uint64_t rank = zipf_ ? zipf_->Draw(random) : random.Below(keys_of_shard_);
    return KvKey(rank * kShards + shard);
  }

  // The cache is full when operations begin, of keys as popular as theirs.
  Status Fill(Session& session, Shards& shards) const {
    for (uint64_t i = 0; i < kShards; ++i) {
      LruCache* cache = LruCache::Make(session.mutator(), entries_ / kShards);
      if (cache == nullptr) return HeapFull("making the cache");
      shards[i] = cache;
      const uint64_t wanted = std::min(entries_ / kShards, keys_of_shard_);
      for (uint64_t rank = wanted; rank-- > 0;) {
        const KvKey key(rank * kShards + i);
        KvValue* value = MakeValue(session.mutator(), key, 0);
        if (value == nullptr || !cache->Put(session.mutator(), key, value)) {
          return HeapFull("filling the cache");
        }
      }
      session.progress().Advance(1);
    }
    return Status::Ok();
  }

  KvValue* MakeValue(Mutator& mutator, const KvKey& key, uint64_t version) const {
    const uint64_t stamp = Mix(key.number() ^ version);
    return KvValue::Make(mutator, sizes_.Of(stamp), stamp);
  }

  // Every `threads_`-th shard's operations, one of each in turn: so the whole cache is in use all
  // the time. False: the heap is full.
  bool OperateAll(Progress& progress, Mutator& mutator, size_t task, const Shards& shards,
                  std::vector<ShardOutcome>& outcomes) const {
    std::vector<Random> randoms;
    for (uint64_t shard = 0; shard < kShards; ++shard) randoms.emplace_back(Mix(seed_) + shard);
    LapClock clock;
    uint64_t done = 0;
    for (uint64_t i = 1; i <= operations_of_shard_; ++i) {
      for (uint64_t shard = task; shard < kShards; shard += threads_) {
        if (!Operate(mutator, shard, i, *shards[shard], randoms[shard], outcomes[shard], clock)) {
          return false;
        }
        if (++done % kOperationsPerSafepoint != 0) continue;
        progress.Advance(kOperationsPerSafepoint);
        mutator.Safepoint();
      }
    }
    return true;
  }

  // The shard's operation of that number. False: the heap is full.
  bool Operate(Mutator& mutator, uint64_t shard, uint64_t number, LruCache& cache, Random& random,
               ShardOutcome& outcome, LapClock& clock) const {
    const bool is_put = random.Below(100) < puts_;
    const KvKey key = DrawKey(random, shard);
    const KvValue* found = is_put ? nullptr : cache.Get(key);
    const bool is_hit = found != nullptr;
    if (!is_hit) {
      // What a store behind the cache would say; a put changes it.
      KvValue* value = MakeValue(mutator, key, is_put ? number : 0);
      if (value == nullptr || !cache.Put(mutator, key, value)) return false;
      found = value;
    }
    if (!is_put) outcome.hash = Mix(outcome.hash ^ found->Hash());
    (is_put ? outcome.put : is_hit ? outcome.hit : outcome.miss).Record(clock.Lap());
    return true;
  }

  std::string Report(Session& session, const Shards& shards,
                     const std::vector<ShardOutcome>& outcomes) const {
    ShardOutcome all;
    uint64_t evictions = 0;
    for (uint64_t i = 0; i < kShards; ++i) {
      const ShardOutcome& outcome = outcomes[i];
      all.hash = Mix(all.hash ^ outcome.hash);
      all.hit.Merge(outcome.hit);
      all.miss.Merge(outcome.miss);
      all.put.Merge(outcome.put);
      evictions += shards[i]->evictions();
    }
    all.hit.AddTo("cache.hit", session.counters());
    all.miss.AddTo("cache.miss", session.counters());
    all.put.AddTo("cache.put", session.counters());
    session.counters()["cache.evictions"] = evictions;
    return fmt::format("{:016x}-{}-{}", all.hash, all.hit.Count(), evictions);
  }

  uint64_t entries_ = 0;
  uint64_t keys_wanted_ = 0;
  uint64_t operations_wanted_ = 0;
  uint64_t puts_ = 20;
  std::string distribution_ = "zipf";
  KvValueSizes sizes_{};
  uint64_t keys_of_shard_ = 0;
  uint64_t operations_of_shard_ = 0;
  std::unique_ptr<Zipf> zipf_;
};

}  // namespace

std::unique_ptr<Workload> MakeCache() { return std::make_unique<Cache>(); }

}  // namespace tandem::workloads
