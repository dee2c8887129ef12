#include "workloads/kv_trace.h"

#include <cassert>
#include <numeric>
#include <optional>
#include <utility>

#include "workloads/kv_records.h"
#include "workloads/random.h"
#include "workloads/zipf.h"

namespace tandem::workloads {

namespace {

constexpr double kZipfExponent = 0.99;  // YCSB's

// How many of a hundred operations do what.
struct Shares {
  const char* name;
  unsigned reads;
  unsigned updates;
  unsigned inserts;
  unsigned scans;
  unsigned read_modify_writes;
  bool latest;  // popular are the youngest keys
};

constexpr Shares kMixes[] = {
    {"a", 50, 50, 0, 0, 0, false},
    {"b", 95, 5, 0, 0, 0, false},
    {"c", 100, 0, 0, 0, 0, false},
    {"d", 95, 0, 5, 0, 0, true},
    {"e", 0, 0, 5, 95, 0, false},
    {"f", 50, 0, 0, 0, 50, false},
    {"update-insert", 0, 50, 50, 0, 0, false},
    {"read-insert", 50, 0, 50, 0, 0, false},
    {"insert-update-read", 25, 25, 50, 0, 0, false},
};

const Shares& SharesOf(const std::string& name) {
  for (const Shares& mix : kMixes) {
    if (name == mix.name) return mix;
  }
  assert(false && "an option admits known names only");
  return kMixes[0];
}

KvAction DrawAction(const Shares& mix, Random& random) {
  uint64_t draw = random.Below(100);
  for (const auto& [share, action] : {std::pair{mix.reads, KvAction::kRead},
                                      {mix.updates, KvAction::kUpdate},
                                      {mix.inserts, KvAction::kInsert},
                                      {mix.scans, KvAction::kScan}}) {
    if (draw < share) return action;
    draw -= share;
  }
  return KvAction::kReadModifyWrite;
}

// Draws keys that are in the store. Popularity belongs to places, of which there are as many as
// records, in random order: a key that is dropped leaves its place to the one that is inserted.
class KeyChooser {
 public:
  KeyChooser(const KvTraceOptions& options, bool latest, Random& random)
      : records_(options.records), latest_(latest) {
    if (options.distribution == "zipf") zipf_.emplace(records_, kZipfExponent);
    if (!zipf_ || latest_) return;
    places_.resize(records_);
    std::iota(places_.begin(), places_.end(), 0);
    for (uint64_t i = records_; i > 1; --i) std::swap(places_[i - 1], places_[random.Below(i)]);
  }

  // Of the keys from `oldest` on.
  uint64_t Draw(uint64_t oldest, Random& random) const {
    const uint64_t rank = zipf_ ? zipf_->Draw(random) : random.Below(records_);
    if (latest_) return oldest + records_ - 1 - rank;
    const uint64_t place = places_.empty() ? rank : places_[rank];
    const uint64_t oldest_place = oldest % records_;
    return oldest + (place + records_ - oldest_place) % records_;
  }

 private:
  const uint64_t records_;
  const bool latest_;
  std::optional<Zipf> zipf_;
  std::vector<uint32_t> places_;  // by rank
};

}  // namespace

std::vector<std::string> KvMixNames() {
  std::vector<std::string> names;
  for (const Shares& mix : kMixes) names.emplace_back(mix.name);
  return names;
}

bool KvMixScans(const std::string& mix) { return SharesOf(mix).scans != 0; }

std::vector<KvOperation> MakeKvTrace(const KvTraceOptions& options) {
  const Shares& mix = SharesOf(options.mix);
  Random random(options.seed);
  const KeyChooser chooser(options, mix.latest, random);
  std::vector<KvOperation> trace;
  trace.reserve(options.operations + options.operations * mix.inserts / 90);
  const auto add = [&trace](uint64_t key, KvAction action, uint64_t length) {
    trace.push_back(
        {key, static_cast<uint8_t>(length), static_cast<uint8_t>(KvKey(key).shard()), action});
  };
  uint64_t oldest = 0;
  for (uint64_t i = 0; i < options.operations; ++i) {
    const KvAction action = DrawAction(mix, random);
    if (action == KvAction::kInsert) {
      add(oldest + options.records, action, 0);
      add(oldest, KvAction::kDrop, 0);
      ++oldest;
      continue;
    }
    const uint64_t key = chooser.Draw(oldest, random);
    add(key, action, action == KvAction::kScan ? 1 + random.Below(kKvLongestScan) : 0);
  }
  return trace;
}

}  // namespace tandem::workloads
