#include "workloads/mapreduce/map_buffer.h"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

#include "workloads/mapreduce/place.h"

namespace tandem::workloads::mapreduce {

namespace {

// Smaller arrays end up between the runs of small tasks, of which reduce reads many at once: with
// 384 kmeans fetched twice as many pages (tiny, --local 384KiB).
constexpr size_t kFirstPairs = 1024;
constexpr unsigned kFirstHomeShift = 32 - 12;  // 4096 buckets
// A tag has enough bits of the hash for a table of so many pairs.
constexpr size_t kMostPairs = size_t{1} << 26;
// A pair, its key's header and its place in a run.
constexpr uint64_t kPairBytes = 32 + 16 + 8 + sizeof(KeyStamp);

template <typename T>
Array<T>* Doubled(Context& context, Array<T>* old) {
  Array<T>* grown = context.MakeArray<T>(old->length() * 2);
  for (size_t i = 0; i < old->length(); ++i) (*grown)[i] = (*old)[i];
  return grown;
}

// Of a short key the table asks for less than HashBytes does.
uint32_t TagOf(std::string_view key, const KeyStamp& stamp) {
  const uint64_t hash = stamp.is_short() ? Mix(stamp.prefix + stamp.length) : HashBytes(key);
  return (static_cast<uint32_t>(hash) & ~uint32_t{15}) | std::min(stamp.length, 9u);
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
      home_shift_(kFirstHomeShift) {
  if (job.combine) table_.resize(size_t{1} << (32 - home_shift_));
}

void MapBuffer::Stage(std::string_view key, AnyValue* value, uint64_t value_bytes) {
  if (key.size() > Text::kMaxLength) throw std::length_error("a key of more than 4 GiB");
  // The usual partition cannot fail, and costs a hash and a division: Add() asks for it, which of
  // most pairs of a job with a combiner it need not.
  const uint32_t partition = by_hash_ ? 0 : job_.partition(key, job_.reducers);
  if (partition >= job_.reducers) {
    throw std::out_of_range(
        fmt::format("partition {} of a key; there are {}", partition, job_.reducers));
  }
  const size_t position = staged_.size();
  if (position == staged_values_->length()) staged_values_ = Doubled(context_, staged_values_);
  staged_values_->data()[position] = value;
  const KeyStamp stamp = StampOf(key);
  uint32_t tag = 0;
  if (!table_.empty()) {
    tag = TagOf(key, stamp);
    __builtin_prefetch(&table_[HomeOf(tag)]);
  }
  staged_.push_back({stamp.prefix, stamp.length, partition, tag, value_bytes});
  if (!stamp.is_short()) staged_keys_.append(key);
}

void MapBuffer::Commit() {
  const size_t count = staged_.size();
  size_t long_at = 0;
  for (size_t i = 0; i < count; ++i) {
    const Staged& staged = staged_[i];
    AnyValue* value = staged_values_->data()[i];
    if (staged.stamp().is_short()) {
      Add(ShortKey(staged.stamp()).view(), value, staged);
    } else {
      Add(std::string_view(staged_keys_).substr(long_at, staged.length), value, staged);
      long_at += staged.length;
    }
  }
  pairs_in_ += count;
  Drop();
  if (bytes_ > job_.share_bytes || entries_.size() > kMostPairs) Spill();
}

void MapBuffer::Drop() {
  for (size_t i = staged_.size(); i > 0; --i) staged_values_->data()[i - 1] = nullptr;
  staged_.clear();
  staged_keys_.clear();
}

inline bool MapBuffer::Combine(std::string_view key, AnyValue* value, size_t position) {
  try {
    Member<AnyValue>& kept = (*values_)[position];
    kept = job_.combine(context_, key, kept, value);
    return true;
  } catch (const HeapExhausted&) {
    throw;
  } catch (...) {  // reduce will get both
    context_.Count("combine.failures");
    return false;
  }
}

inline MapBuffer::Bucket& MapBuffer::Find(std::string_view key, const KeyStamp& stamp,
                                          uint32_t tag) {
  for (size_t i = HomeOf(tag);; i = (i + 1) & (table_.size() - 1)) {
    Bucket& bucket = table_[i];
    if (bucket.position_plus_1 == 0) return bucket;
    if (bucket.tag != tag || bucket.prefix != stamp.prefix) continue;
    if (stamp.is_short() || (*keys_)[bucket.position_plus_1 - 1]->view() == key) return bucket;
  }
}

void MapBuffer::Add(std::string_view key, AnyValue* value, const Staged& staged) {
  Bucket* bucket = nullptr;
  if (!table_.empty()) {
    if (2 * entries_.size() >= table_.size()) GrowTable();
    bucket = &Find(key, staged.stamp(), staged.tag);
    if (bucket->position_plus_1 != 0 && Combine(key, value, bucket->position_plus_1 - 1)) return;
  }
  const size_t position = entries_.size();
  if (position == capacity_) GrowArrays();
  (*keys_)[position] = context_.MakeText(key);
  (*values_)[position] = value;
  const uint64_t bytes = kPairBytes + key.size() + staged.value_bytes;
  bytes_ += bytes;
  const uint32_t partition = by_hash_ ? PartitionByHash(key, job_.reducers) : staged.partition;
  entries_.push_back({staged.stamp(), partition, bytes});
  if (bucket != nullptr && bucket->position_plus_1 == 0) {
    *bucket = {staged.prefix, staged.tag, static_cast<uint32_t>(entries_.size())};
  }
}

void MapBuffer::GrowArrays() {
  if (capacity_ == 0) {
    keys_ = context_.MakeArray<Member<Text>>(kFirstPairs);
    values_ = context_.MakeArray<Member<AnyValue>>(kFirstPairs);
  } else {
    keys_ = Doubled(context_, keys_);
    values_ = Doubled(context_, values_);
  }
  capacity_ = keys_->length();
}

void MapBuffer::GrowTable() {
  std::vector<Bucket> old(table_.size() * 2);
  old.swap(table_);
  --home_shift_;
  for (const Bucket& bucket : old) {
    if (bucket.position_plus_1 == 0) continue;
    size_t i = HomeOf(bucket.tag);
    while (table_[i].position_plus_1 != 0) i = (i + 1) & (table_.size() - 1);
    table_[i] = bucket;
  }
}

void MapBuffer::Spill() {
  if (entries_.empty()) return;
  ++spills_;
  Mutator& mutator = context_.mutator();
  // Positions, which are native, are sorted rather than references: a reference may only be where
  // the collector finds it. What mostly tells them apart lies beside them.
  std::vector<Place> order(entries_.size());
  for (uint32_t i = 0; i < order.size(); ++i) {
    order[i] = {entries_[i].stamp.prefix, entries_[i].partition, i};
  }
  uint32_t compared = 0;
  SortPlaces(
      order,
      [&](const Place& a, const Place& b) {
        if (++compared % 4096 == 0) mutator.Safepoint();
        const int by_key = Compare(entries_[a.position].stamp, entries_[b.position].stamp, [&] {
          return (*keys_)[a.position]->view().compare((*keys_)[b.position]->view());
        });
        return by_key != 0 ? by_key < 0 : a.position < b.position;
      },
      [&] { mutator.Safepoint(); });
  for (size_t begin = 0; begin < order.size();) {
    const uint32_t partition = order[begin].partition;
    size_t end = begin;
    while (end < order.size() && order[end].partition == partition) ++end;
    Pairs* sorted = context_.MakeArray<Member<Pair>>(end - begin);
    KeyStamps* stamps = context_.MakeArray<KeyStamp>(end - begin);
    uint64_t bytes = 0;
    for (size_t i = begin; i < end; ++i) {
      const uint32_t position = order[i].position;
      (*sorted)[i - begin] = context_.Make<Pair>((*keys_)[position], (*values_)[position]);
      (*stamps)[i - begin] = entries_[position].stamp;
      bytes += entries_[position].bytes;
    }
    Append(context_.Make<Run>(sorted, stamps, bytes), first_slot_ + partition);
    begin = end;
  }
  keys_ = nullptr;
  values_ = nullptr;
  capacity_ = 0;
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
