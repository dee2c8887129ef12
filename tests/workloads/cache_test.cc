// The LRU cache against std::list and std::unordered_map, and the workload's answers.
#include <gtest/gtest.h>

#include <cstdint>
#include <list>
#include <string>
#include <unordered_map>

#include "tandem/persistent.h"
#include "tests/workloads/harness.h"
#include "workloads/lru_cache.h"

namespace tandem::workloads {
namespace {

TEST(LruCacheTest, DropsWhatWasNotUsedForLongest) {
  constexpr uint64_t kCapacity = 50, kKeys = 120;
  HeapOptions options;
  options.heap_bytes = uint64_t{16} << 20;
  options.collect_every = 997;
  auto heap = Heap::Create(options);
  ASSERT_TRUE(heap.ok()) << heap.status().message();
  Mutator mutator(**heap);
  Persistent<LruCache> cache(**heap, LruCache::Make(mutator, kCapacity));
  ASSERT_TRUE(cache);
  std::list<uint64_t> by_use;  // the newest first
  std::unordered_map<uint64_t, uint64_t> hashes;
  uint64_t evictions = 0;

  Random random(3);
  for (uint64_t step = 0; step < 20'000; ++step) {
    const uint64_t id = random.Below(kKeys);
    const KvKey key(id);
    const bool is_there = hashes.contains(id);
    if (random.Below(2) == 0) {
      const KvValue* value = cache->Get(key);
      ASSERT_EQ(value != nullptr, is_there) << "step " << step;
      if (!is_there) continue;
      ASSERT_EQ(value->Hash(), hashes[id]);
    } else {
      KvValue* value = KvValue::Make(mutator, random.Below(200), step);
      ASSERT_NE(value, nullptr);
      ASSERT_TRUE(cache->Put(mutator, key, value));
      if (!is_there && hashes.size() == kCapacity) {
        hashes.erase(by_use.back());
        by_use.pop_back();
        ++evictions;
      }
      hashes[id] = value->Hash();
    }
    by_use.remove(id);
    by_use.push_front(id);
  }
  EXPECT_EQ(cache->size(), kCapacity);
  EXPECT_EQ(cache->evictions(), evictions);
  const LruCache::Entry* entry = cache->newest();
  for (const uint64_t id : by_use) {
    ASSERT_NE(entry, nullptr);
    EXPECT_EQ(entry->key->view(), KvKey(id).view());
    entry = entry->older;
  }
  EXPECT_EQ(entry, nullptr);
}

TEST(CacheTest, WithRoomForAllKeysHitsAlways) {
  const auto counters =
      RunTiny("cache", {{"entries", {"1024"}}, {"keys", {"1024"}}, {"puts", {"0"}}}).counters;
  EXPECT_EQ(counters.at("cache.hit.count"), 8 * 1024u);
  EXPECT_EQ(counters.at("cache.miss.count"), 0u);
  EXPECT_EQ(counters.at("cache.evictions"), 0u);
}

TEST(CacheTest, UniformKeysHitAsOftenAsTheCacheHoldsThem) {
  const auto counters =
      RunTiny("cache", {{"distribution", {"uniform"}}, {"puts", {"0"}}, {"keys", {"16384"}}})
          .counters;
  const auto hits = static_cast<double>(counters.at("cache.hit.count"));
  const auto misses = static_cast<double>(counters.at("cache.miss.count"));
  EXPECT_EQ(hits + misses, 8 * 4096);
  EXPECT_NEAR(hits / (hits + misses), 0.25, 0.02);
  EXPECT_EQ(counters.at("cache.evictions"), counters.at("cache.miss.count"));
}

TEST(CacheTest, AnswerDependsOnTheSeedButNotOnThreads) {
  const std::string expected = RunTiny("cache", {}).checksum;
  EXPECT_EQ(RunTiny("cache", {{"threads", {"3"}}}).checksum, expected);
  EXPECT_NE(RunTiny("cache", {{"seed", {"2"}}}).checksum, expected);
}

TEST(CacheTest, IsRefusedOnAHeapThatIsTooSmall) {
  StatusOr<std::unique_ptr<Workload>> workload = PrepareTiny("cache", {{"entries", {"65536"}}});
  ASSERT_TRUE(workload.ok());
  HeapOptions heap;
  heap.heap_bytes = uint64_t{8} << 20;
  Progress progress;
  EXPECT_EQ(RunOnHeap(**workload, heap, progress).status().code(), StatusCode::kResourceExhausted);
}

}  // namespace
}  // namespace tandem::workloads
