#include "workloads/mapreduce/map_buffer.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <stdexcept>

namespace tandem::workloads::mapreduce {

namespace {

constexpr size_t kFirstPairs = 1024;
constexpr size_t kFirstBuckets = 4096;
// A pair, its key's header and its place in a run.
constexpr uint64_t kPairBytes = 32 + 16 + 8 + sizeof(KeyStamp);

template <typename T>
Array<T>* Doubled(Context& context, Array<T>* old) {
  Array<T>* grown = context.MakeArray<T>(old->length() * 2);
  for (size_t i = 0; i < old->length(); ++i) (*grown)[i] = (*old)[i];
  return grown;
}

bool IsByHash(const std::function<uint32_t(std::string_view, uint32_t)>& partition) {
  const auto* const function = partition.target<uint32_t (*)(std::string_view, uint32_t)>();
  return function != nullptr && *function == &PartitionByHash;
}

}  // namespace

MapBuffer::MapBuffer(Context& context, const Job& job, Shuffle* shuffle, size_t first_slot)
    : context_(context),
      job_(job),
      shuffle_(shuffle),
      first_slot_(first_slot),
      by_hash_(IsByHash(job.partition)),
      staged_values_(context.MakeArray<Member<AnyValue>>(64)),
      pairs_(context.MakeArray<Member<Pair>>(kFirstPairs)) {
  if (job.combine) table_.resize(kFirstBuckets);
}

void MapBuffer::Stage(std::string_view key, AnyValue* value, uint64_t value_bytes) {
  if (key.size() > Text::kMaxLength) throw std::length_error("a key of more than 4 GiB");
  // The usual partition takes the hash that the table needs as well.
  const uint64_t hash = HashBytes(key);
  const uint32_t partition =
      by_hash_ ? PartitionOfHash(hash, job_.reducers) : job_.partition(key, job_.reducers);
  if (partition >= job_.reducers) {
    throw std::out_of_range(
        fmt::format("partition {} of a key; there are {}", partition, job_.reducers));
  }
  if (staged_.size() == staged_values_->length()) {
    staged_values_ = Doubled(context_, staged_values_);
  }
  (*staged_values_)[staged_.size()] = value;
  staged_.push_back(
      {staged_keys_.size(), key.size(), value_bytes, partition, static_cast<uint32_t>(hash)});
  staged_keys_.append(key);
}

void MapBuffer::Commit() {
  for (size_t i = 0; i < staged_.size(); ++i) {
    const Staged& staged = staged_[i];
    Add({staged_keys_.data() + staged.key_at, staged.key_length}, (*staged_values_)[i], staged);
  }
  pairs_in_ += staged_.size();
  Drop();
  if (bytes_ > job_.share_bytes || entries_.size() > std::numeric_limits<uint32_t>::max() / 4) {
    Spill();
  }
}

void MapBuffer::Drop() {
  for (size_t i = 0; i < staged_.size(); ++i) (*staged_values_)[i] = nullptr;
  staged_.clear();
  staged_keys_.clear();
}

void MapBuffer::Add(std::string_view key, AnyValue* value, const Staged& staged) {
  Bucket* bucket = nullptr;
  if (job_.combine) {
    if (2 * entries_.size() >= table_.size()) GrowTable();
    bucket = &Find(key, staged.hash);
    if (bucket->position_plus_1 != 0 && Combine(key, value, *bucket)) return;
  }
  if (entries_.size() == pairs_->length()) pairs_ = Doubled(context_, pairs_);
  Text* text = context_.MakeText(key);
  (*pairs_)[entries_.size()] = context_.Make<Pair>(text, value);
  const uint64_t bytes = kPairBytes + key.size() + staged.value_bytes;
  bytes_ += bytes;
  entries_.push_back({StampOf(key), staged.partition, bytes});
  if (bucket != nullptr && bucket->position_plus_1 == 0) {
    *bucket = {staged.hash, static_cast<uint32_t>(entries_.size())};
  }
}

bool MapBuffer::Combine(std::string_view key, AnyValue* value, Bucket& bucket) {
  Pair* pair = (*pairs_)[bucket.position_plus_1 - 1];
  try {
    pair->value = job_.combine(context_, key, pair->value, value);
    return true;
  } catch (const HeapExhausted&) {
    throw;
  } catch (...) {  // reduce will get both
    context_.Count("combine.failures");
    return false;
  }
}

MapBuffer::Bucket& MapBuffer::Find(std::string_view key, uint32_t hash) {
  for (size_t i = hash;; ++i) {
    Bucket& bucket = table_[i & (table_.size() - 1)];
    if (bucket.position_plus_1 == 0) return bucket;
    if (bucket.hash != hash) continue;
    if ((*pairs_)[bucket.position_plus_1 - 1]->key->view() == key) return bucket;
  }
}

void MapBuffer::GrowTable() {
  std::vector<Bucket> old(table_.size() * 2);
  old.swap(table_);
  for (const Bucket& bucket : old) {
    if (bucket.position_plus_1 == 0) continue;
    size_t i = bucket.hash & (table_.size() - 1);
    while (table_[i].position_plus_1 != 0) i = (i + 1) & (table_.size() - 1);
    table_[i] = bucket;
  }
}

void MapBuffer::Spill() {
  if (entries_.empty()) return;
  ++spills_;
  // Positions, which are native, are sorted rather than references: a reference may only be where
  // the collector finds it. What mostly tells them apart lies beside them.
  struct Place {
    uint64_t prefix;
    uint32_t partition;
    uint32_t position;
  };
  std::vector<Place> order(entries_.size());
  for (uint32_t i = 0; i < order.size(); ++i) {
    order[i] = {entries_[i].stamp.prefix, entries_[i].partition, i};
  }
  uint32_t compared = 0;
  std::sort(order.begin(), order.end(), [&](const Place& a, const Place& b) {
    if (a.partition != b.partition) return a.partition < b.partition;
    if (a.prefix != b.prefix) return a.prefix < b.prefix;
    if (++compared % 4096 == 0) context_.mutator().Safepoint();
    const int by_key = Compare(entries_[a.position].stamp, entries_[b.position].stamp, [&] {
      return (*pairs_)[a.position]->key->view().compare((*pairs_)[b.position]->key->view());
    });
    return by_key != 0 ? by_key < 0 : a.position < b.position;
  });
  context_.mutator().Safepoint();
  for (size_t begin = 0; begin < order.size();) {
    const uint32_t partition = order[begin].partition;
    size_t end = begin;
    uint64_t bytes = 0;
    for (; end < order.size() && order[end].partition == partition; ++end) {
      bytes += entries_[order[end].position].bytes;
    }
    Pairs* sorted = context_.MakeArray<Member<Pair>>(end - begin);
    KeyStamps* stamps = context_.MakeArray<KeyStamp>(end - begin);
    for (size_t i = begin; i < end; ++i) {
      (*sorted)[i - begin] = (*pairs_)[order[i].position];
      (*stamps)[i - begin] = entries_[order[i].position].stamp;
    }
    Append(context_.Make<Run>(sorted, stamps, bytes), first_slot_ + partition);
    begin = end;
  }
  pairs_ = context_.MakeArray<Member<Pair>>(kFirstPairs);
  entries_.clear();
  bytes_ = 0;
  std::fill(table_.begin(), table_.end(), Bucket{});
}

void MapBuffer::Append(Run* run, size_t slot) {
  auto* link = context_.Make<RunList>(run);
  RunList* last = (*shuffle_)[slot];
  if (last == nullptr) {
    (*shuffle_)[slot] = link;
    return;
  }
  while (last->next) last = last->next;
  last->next = link;
}

}  // namespace tandem::workloads::mapreduce
