// The key-value store: its trace, its shards against std::unordered_map and std::map, and the
// whole workload against the same trace on native memory.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "tandem/persistent.h"
#include "tests/workloads/harness.h"
#include "workloads/kv_store.h"
#include "workloads/kv_trace.h"
#include "workloads/zipf.h"

namespace tandem::workloads {
namespace {

constexpr uint64_t kRecords = 1000;
constexpr uint64_t kOperations = 6000;

KvTraceOptions SmallTrace(const std::string& mix, const std::string& distribution = "zipf") {
  return {mix, distribution, kRecords, kOperations, /*seed=*/7};
}

OptionMap OptionsOf(const KvTraceOptions& trace) {
  return {{"mix", {trace.mix}},
          {"distribution", {trace.distribution}},
          {"records", {std::to_string(trace.records)}},
          {"operations", {std::to_string(trace.operations)}},
          {"seed", {std::to_string(trace.seed)}}};
}

// How many operations of each kind, of a hundred.
std::map<KvAction, double> SharesOf(const std::vector<KvOperation>& trace) {
  std::map<KvAction, double> shares;
  for (const KvOperation& operation : trace) {
    shares[operation.action] += 100.0 / static_cast<double>(kOperations);
  }
  return shares;
}

// Trace.

TEST(KvTraceTest, HasTheSharesThatTheMixIsKnownFor) {
  using A = KvAction;
  const std::map<std::string, std::map<A, double>> expected = {
      {"a", {{A::kRead, 50}, {A::kUpdate, 50}}},
      {"b", {{A::kRead, 95}, {A::kUpdate, 5}}},
      {"c", {{A::kRead, 100}}},
      {"d", {{A::kRead, 95}, {A::kInsert, 5}}},
      {"e", {{A::kScan, 95}, {A::kInsert, 5}}},
      {"f", {{A::kRead, 50}, {A::kReadModifyWrite, 50}}},
      {"update-insert", {{A::kUpdate, 50}, {A::kInsert, 50}}},
      {"read-insert", {{A::kRead, 50}, {A::kInsert, 50}}},
      {"insert-update-read", {{A::kInsert, 50}, {A::kUpdate, 25}, {A::kRead, 25}}},
  };
  EXPECT_EQ(KvMixNames().size(), expected.size());
  for (const std::string& mix : KvMixNames()) {
    SCOPED_TRACE(mix);
    ASSERT_TRUE(expected.contains(mix));
    std::map<A, double> shares = SharesOf(MakeKvTrace(SmallTrace(mix)));
    EXPECT_EQ(shares[A::kDrop], shares[A::kInsert]);
    shares.erase(A::kDrop);
    if (shares[A::kInsert] == 0) shares.erase(A::kInsert);
    ASSERT_EQ(shares.size(), expected.at(mix).size());
    for (const auto& [action, share] : expected.at(mix)) EXPECT_NEAR(shares[action], share, 3);
  }
}

TEST(KvTraceTest, AsksOnlyForKeysThatAreInTheStoreAndDropsTheOldest) {
  for (const std::string& mix : KvMixNames()) {
    for (const char* distribution : {"zipf", "uniform"}) {
      SCOPED_TRACE(mix + " " + distribution);
      uint64_t oldest = 0, next = kRecords;
      for (const KvOperation& operation : MakeKvTrace(SmallTrace(mix, distribution))) {
        ASSERT_EQ(operation.shard, KvKey(operation.key).shard());
        if (operation.action == KvAction::kInsert) {
          ASSERT_EQ(operation.key, next++);
        } else if (operation.action == KvAction::kDrop) {
          ASSERT_EQ(operation.key, oldest++);
        } else {
          ASSERT_GE(operation.key, oldest);
          ASSERT_LT(operation.key, next);
        }
        const bool scan = operation.action == KvAction::kScan;
        ASSERT_GE(operation.length, scan ? 1 : 0);
        ASSERT_LE(operation.length, scan ? kKvLongestScan : 0);
      }
    }
  }
}

TEST(KvTraceTest, PopularKeysOfZipfLieScatteredAndThoseOfMixDAreTheLatest) {
  std::vector<uint64_t> uses(kRecords);
  for (const KvOperation& operation : MakeKvTrace(SmallTrace("c"))) ++uses[operation.key];
  std::vector<size_t> keys(kRecords);
  for (size_t i = 0; i < kRecords; ++i) keys[i] = i;
  std::sort(keys.begin(), keys.end(), [&](size_t a, size_t b) { return uses[a] > uses[b]; });
  // The rank is no place: the ten most popular lie in both halves.
  const auto old =
      std::count_if(keys.begin(), keys.begin() + 10, [](size_t key) { return key < kRecords / 2; });
  EXPECT_GT(old, 0);
  EXPECT_LT(old, 10);
  const Zipf zipf(kRecords, 0.99);
  for (const size_t rank : {0, 1, 2}) {
    const double expected = static_cast<double>(kOperations) * zipf.Probability(rank);
    EXPECT_NEAR(static_cast<double>(uses[keys[rank]]), expected, 5 * std::sqrt(expected));
  }

  std::vector<double> by_age(kRecords);
  uint64_t next = kRecords, reads = 0;
  for (const KvOperation& operation : MakeKvTrace(SmallTrace("d"))) {
    if (operation.action == KvAction::kInsert) ++next;
    if (operation.action != KvAction::kRead) continue;
    ++by_age[next - 1 - operation.key];
    ++reads;
  }
  for (const size_t age : {0, 1, 2}) {
    const double expected = static_cast<double>(reads) * zipf.Probability(age);
    EXPECT_NEAR(by_age[age], expected, 5 * std::sqrt(expected));
  }
}

TEST(KvTraceTest, PopularityStaysWithAKeyWhileOthersComeAndGo) {
  // The most popular key keeps its share from its first use until it is dropped.
  std::map<uint64_t, uint64_t> uses;
  for (const KvOperation& operation : MakeKvTrace({"b", "zipf", kRecords, kOperations, 3})) {
    ++uses[operation.key];
  }
  const auto most = [](const std::map<uint64_t, uint64_t>& all) {
    return *std::max_element(all.begin(), all.end(),
                             [](const auto& a, const auto& b) { return a.second < b.second; });
  };
  const auto [popular, popular_uses] = most(uses);
  std::map<uint64_t, uint64_t> with_inserts;
  for (const KvOperation& operation : MakeKvTrace({"e", "zipf", kRecords, kOperations, 3})) {
    // Fewer than a third of the records are replaced; keys share their place modulo kRecords.
    if (operation.action == KvAction::kScan) ++with_inserts[operation.key % kRecords];
  }
  EXPECT_EQ(most(with_inserts).first, popular);
  EXPECT_NEAR(static_cast<double>(most(with_inserts).second),
              0.95 * static_cast<double>(popular_uses), 150);
}

TEST(ZipfTest, RanksAreAsFrequentAsTheirProbability) {
  constexpr uint64_t kRanks = 1000, kDraws = 200'000;
  const Zipf zipf(kRanks, 0.99);
  double total = 0;
  for (uint64_t rank = 0; rank < kRanks; ++rank) total += zipf.Probability(rank);
  EXPECT_NEAR(total, 1, 1e-9);
  EXPECT_NEAR(zipf.Probability(0) / zipf.Probability(9), std::pow(10, 0.99), 1e-6);

  Random random(11);
  std::vector<uint64_t> frequency(kRanks);
  for (uint64_t i = 0; i < kDraws; ++i) ++frequency[zipf.Draw(random)];
  double chi_square = 0;
  for (uint64_t rank = 0; rank < kRanks; ++rank) {
    const double expected = kDraws * zipf.Probability(rank);
    const double off = static_cast<double>(frequency[rank]) - expected;
    chi_square += off * off / expected;
  }
  // 999 degrees of freedom: a mean of 999 with a deviation of 45.
  EXPECT_GT(chi_square, 999 - 5 * 45);
  EXPECT_LT(chi_square, 999 + 5 * 45);
}

TEST(ZipfTest, OfOneRankIsThatRank) {
  const Zipf zipf(1, 0.99);
  Random random(1);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(zipf.Draw(random), 0u);
}

// Shards.

TEST(KvKeyTest, NumbersOrderKeysAsTheirCharactersDo) {
  for (uint64_t id = 0; id < 1000; ++id) {
    const KvKey a(id), b(id + 1);
    EXPECT_EQ(a.view().size(), KvKey::kLength);
    EXPECT_EQ(a.number() < b.number(), a.view() < b.view()) << id;
  }
}

std::string BytesOf(const KvValue& value) {
  std::string bytes;
  value.ForAllParts([&bytes](std::string_view part) { bytes += part; });
  return bytes;
}

TEST(KvValueTest, HasItsBytesInPartsAndTheHashOfTheWhole) {
  auto heap = Heap::Create({.heap_bytes = uint64_t{16} << 20});
  ASSERT_TRUE(heap.ok()) << heap.status().message();
  Mutator mutator(**heap);
  std::set<size_t> parts;
  for (uint64_t bytes = 0; bytes < 500; ++bytes) {
    const KvValue* value = KvValue::Make(mutator, bytes, bytes);
    ASSERT_NE(value, nullptr);
    const std::string expected = KvValueBytes(bytes, bytes);
    EXPECT_EQ(BytesOf(*value), expected);
    EXPECT_EQ(value->Hash(), HashBytes(expected));
    size_t count = 0;
    value->ForAllParts([&count](std::string_view) { ++count; });
    parts.insert(count);
  }
  EXPECT_TRUE(parts.contains(4));         // fields
  EXPECT_GT(*parts.rbegin(), size_t{5});  // three of them, and a list
}

TEST(KvShardTest, HoldsWhatAMapAndAnOrderedMapHold) {
  constexpr uint64_t kKeys = 400;
  HeapOptions options;
  options.heap_bytes = uint64_t{16} << 20;
  options.collect_every = 997;
  auto heap = Heap::Create(options);
  ASSERT_TRUE(heap.ok()) << heap.status().message();
  Mutator mutator(**heap);
  // Few buckets, so that chains are long.
  Persistent<KvShard> shard(**heap, KvShard::Make(mutator, 64, /*ordered=*/true));
  ASSERT_TRUE(shard);
  std::unordered_map<std::string, std::string> model;
  std::map<uint64_t, std::string> ordered;

  Random random(5);
  for (uint64_t step = 1; step <= 20'000; ++step) {
    const KvKey key(random.Below(kKeys));
    const std::string name(key.view());
    KvEntry* entry = shard->Find(key);
    ASSERT_EQ(entry != nullptr, model.contains(name)) << "step " << step;
    if (random.Below(3) == 0) {
      ASSERT_EQ(shard->Remove(key), model.erase(name) == 1);
      ordered.erase(key.number());
      continue;
    }
    const uint64_t bytes = random.Below(100);
    const std::string expected = KvValueBytes(bytes, step);
    KvValue* value = KvValue::Make(mutator, bytes, step);
    ASSERT_NE(value, nullptr);
    if (entry != nullptr) {
      ASSERT_EQ(BytesOf(*entry->value), model[name]);
      entry->value = value;
    } else {
      ASSERT_TRUE(shard->Insert(mutator, key, value));
    }
    model[name] = ordered[key.number()] = expected;
  }
  EXPECT_GT(model.size(), kKeys / 4);

  for (uint64_t id = 0; id < kKeys; ++id) {
    const KvKey key(id);
    auto expected = ordered.lower_bound(key.number());
    for (const auto* node = shard->index()->Seek(key.number()); node != nullptr;
         node = node->next(), ++expected) {
      ASSERT_NE(expected, ordered.end());
      ASSERT_EQ(node->number(), expected->first);
      ASSERT_EQ(BytesOf(*node->entry()->value), expected->second);
      if (node->number() == key.number()) {
        ASSERT_EQ(node->entry(), shard->Find(key));
      }
    }
    ASSERT_EQ(expected, ordered.end());
  }
}

// The workload.

// What the workload must come to, on std::unordered_map and, for scans, a std::map a shard.
class Model {
 public:
  Model(const KvTraceOptions& options, KvValueSizes sizes) : sizes_(sizes) {
    for (uint64_t id = 0; id < options.records; ++id) Put(id, ~id);
    uint64_t place = 0;
    for (const KvOperation& operation : MakeKvTrace(options)) Perform(operation, ++place);
    uint64_t content = 0;
    for (uint64_t id = oldest_; id < oldest_ + options.records; ++id) {
      content = Mix(content ^ HashBytes(values_.at(Name(id))));
    }
    EXPECT_EQ(values_.size(), options.records);
    checksum_ = fmt::format("{:016x}", Mix(sum_ ^ content));
  }

  const std::string& checksum() const { return checksum_; }

 private:
  static std::string Name(uint64_t id) { return std::string(KvKey(id).view()); }

  void Put(uint64_t id, uint64_t stamp) {
    const std::string value = KvValueBytes(sizes_.Of(stamp), stamp);
    ordered_[KvKey(id).shard()][Name(id)] = value;
    values_[Name(id)] = value;
  }

  void Perform(const KvOperation& operation, uint64_t place) {
    const std::string name = Name(operation.key);
    uint64_t hash = 0;
    switch (operation.action) {
      case KvAction::kUpdate:
      case KvAction::kInsert:
        Put(operation.key, place);
        return;
      case KvAction::kDrop:
        values_.erase(name);
        ordered_[operation.shard].erase(name);
        ++oldest_;
        return;
      case KvAction::kRead:
        hash = HashBytes(values_.at(name));
        break;
      case KvAction::kReadModifyWrite:
        hash = HashBytes(values_.at(name));
        Put(operation.key, hash + place);
        break;
      case KvAction::kScan: {
        const auto& shard = ordered_[operation.shard];
        unsigned left = operation.length;
        for (auto at = shard.find(name); at != shard.end() && left > 0; ++at, --left) {
          hash = Mix(hash ^ HashBytes(at->second));
        }
        break;
      }
    }
    sum_ += Mix(hash ^ Mix(place));
  }

  const KvValueSizes sizes_;
  std::unordered_map<std::string, std::string> values_;
  std::map<std::string, std::string> ordered_[kKvShards];
  uint64_t oldest_ = 0;
  uint64_t sum_ = 0;
  std::string checksum_;
};

// Fewer where a sanitizer makes each slow.
#ifdef TANDEM_SANITIZER
const std::vector<const char*> kThreads = {"2"};
const std::vector<const char*> kOrders = {"lineup"};
#else
const std::vector<const char*> kThreads = {"1", "2"};
const std::vector<const char*> kOrders = {"lifo", "lineup"};
#endif

class KvMixTest : public ::testing::TestWithParam<std::string> {};

TEST_P(KvMixTest, ReadsAndKeepsWhatAnUnorderedMapDoes) {
  for (const char* distribution : {"zipf", "uniform"}) {
    const KvTraceOptions trace = SmallTrace(GetParam(), distribution);
    OptionMap options = OptionsOf(trace);
    options["value-min"] = {"1"};
    options["value-max"] = {"5000"};  // longer than a page
    EXPECT_EQ(RunTiny("kv", options).checksum, Model(trace, {1, 5000}).checksum()) << distribution;
  }
}

TEST_P(KvMixTest, GivesTheSameAnswerWhateverIsLocalInAnyOrderWithAnyNumberOfThreads) {
  std::string expected;
  uint64_t footprint = 0;
  for (const char* threads : kThreads) {
    OptionMap options = {{"mix", {GetParam()}},
                         {"threads", {threads}},
                         {"records", {"10000"}},
                         {"operations", {KvMixScans(GetParam()) ? "300" : "20000"}}};
    StatusOr<std::unique_ptr<Workload>> workload = PrepareTiny("kv", options);
    ASSERT_TRUE(workload.ok()) << workload.status().message();
    for (const char* order : kOrders) {
      for (const uint64_t percent : {100, 25, 13}) {
        SCOPED_TRACE(fmt::format("{} threads, {}, {} %", threads, order, percent));
        HeapOptions heap = DefaultHeap(**workload);
        heap.order = order;
        heap.collect_every = 4000;
        if (percent != 100) {
          heap.local_bytes = std::max(footprint * percent / 100, HeapOptions::kMinLocalBytes);
        }
        Progress progress;
        const StatusOr<RunResult> result = RunOnHeap(**workload, heap, progress);
        ASSERT_TRUE(result.ok()) << result.status().message();
        if (expected.empty()) expected = result.value().checksum;
        if (footprint == 0) footprint = result.value().memory.footprint_peak_bytes;
        EXPECT_EQ(result.value().checksum, expected);
        EXPECT_GT(result.value().counters.at("gc.cycles"), 1u);
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Mixes, KvMixTest, ::testing::ValuesIn(KvMixNames()),
                         [](const ::testing::TestParamInfo<std::string>& param) {
                           std::string name = param.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

TEST(KvTest, WorksWithFewerRecordsThanShardsAndOneAtATime) {
  for (const uint64_t records : {1, 5}) {
    for (const char* mix : {"d", "e", "insert-update-read"}) {
      const KvTraceOptions trace{mix, "zipf", records, 200, 1};
      EXPECT_EQ(RunTiny("kv", OptionsOf(trace)).checksum, Model(trace, {64, 448}).checksum())
          << mix << " on " << records;
    }
  }
}

TEST(KvTest, CountsAndTimesEveryOperation) {
  const KvTraceOptions trace = SmallTrace("insert-update-read");
  std::map<KvAction, uint64_t> expected;
  for (const KvOperation& operation : MakeKvTrace(trace)) ++expected[operation.action];
  OptionMap options = OptionsOf(trace);
  options["threads"] = {"3"};
  const auto counters = RunTiny("kv", options).counters;
  EXPECT_EQ(counters.at("kv.read.count"), expected[KvAction::kRead]);
  EXPECT_EQ(counters.at("kv.update.count"), expected[KvAction::kUpdate]);
  EXPECT_EQ(counters.at("kv.insert.count"), expected[KvAction::kInsert]);
  EXPECT_EQ(counters.at("kv.drop.count"), expected[KvAction::kInsert]);
  EXPECT_FALSE(counters.contains("kv.scan.count"));
  EXPECT_LE(counters.at("kv.read.p50_ns"), counters.at("kv.read.p9999_ns"));
  EXPECT_LE(counters.at("kv.read.p9999_ns"), counters.at("kv.read.max_ns"));
}

TEST(KvTest, DependsOnTheSeed) {
  EXPECT_NE(RunTiny("kv", {{"seed", {"1"}}}).checksum, RunTiny("kv", {{"seed", {"2"}}}).checksum);
}

TEST(KvTest, EstimatesWhatLives) {
  for (const char* mix : {"c", "e"}) {
    StatusOr<std::unique_ptr<Workload>> workload =
        PrepareTiny("kv", {{"mix", {mix}}, {"operations", {"1"}}});
    ASSERT_TRUE(workload.ok());
    const RunResult result = RunTiny("kv", {{"mix", {mix}}, {"operations", {"1"}}});
    const auto estimate = static_cast<double>((*workload)->LiveBytes());
    const auto used = static_cast<double>(WithHoles(result.memory.heap_used_bytes));
    EXPECT_NEAR(used, estimate, 0.15 * estimate) << mix;
  }
}

TEST(KvTest, IsRefusedOnAHeapThatIsTooSmall) {
  StatusOr<std::unique_ptr<Workload>> workload = PrepareTiny("kv", {{"records", {"65536"}}});
  ASSERT_TRUE(workload.ok());
  HeapOptions heap;
  heap.heap_bytes = uint64_t{8} << 20;
  Progress progress;
  const StatusOr<RunResult> result = RunOnHeap(**workload, heap, progress);
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.status().code(), StatusCode::kResourceExhausted);
}

TEST(KvTest, RefusesBadOptionsAndSaysWhatIsValid) {
  struct BadOption {
    OptionMap options;
    const char* expected;
  };
  for (const auto& [options, expected] : std::vector<BadOption>{
           {{{"mix", {"g"}}},
            "--mix: unknown 'g'; valid are a, b, c, d, e, f, update-insert, read-insert, "
            "insert-update-read"},
           {{{"distribution", {"normal"}}},
            "--distribution: unknown 'normal'; valid are zipf, uniform"},
           {{{"records", {"0"}}}, "--records: '0' is not valid; valid are 1 to 268435456"},
           {{{"operations", {"many"}}},
            "--operations: 'many' is not valid; valid are 0 to 268435456"},
           {{{"value-max", {"2M"}}}, "--value-max: '2M' is out of range; valid is 1 B to 1.00 MiB"},
           {{{"value-min", {"500"}}},
            "--value-min: '500' is above --value-max; valid are 1 to 448"},
           {{{"threads", {"65"}}},
            "--threads: '65' is not valid: each needs a shard; valid are 1 to 64"}}) {
    const auto workload = PrepareTiny("kv", options);
    ASSERT_FALSE(workload.ok()) << expected;
    EXPECT_EQ(workload.status().code(), StatusCode::kInvalidArgument);
    EXPECT_EQ(workload.status().message(), expected);
  }
}

}  // namespace
}  // namespace tandem::workloads
