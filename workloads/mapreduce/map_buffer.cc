#include "workloads/mapreduce/map_buffer.h"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

#include "workloads/mapreduce/place.h"

namespace tandem::workloads::mapreduce {

namespace {

constexpr size_t kFirstPairs = 128;
constexpr size_t kFirstBuckets = 4096;
// A tag has enough bits of the hash for a table of so many pairs.
constexpr size_t kMostPairs = size_t{1} << 26;
// So many values of a combiner are loaded at once. They fit in the processor's first cache.
constexpr size_t kAtOnce = 32;
// A pair, its key's header and its place in a run.
constexpr uint64_t kPairBytes = 32 + 16 + 8 + sizeof(KeyStamp);

template <typename T>
Array<T>* Doubled(Context& context, Array<T>* old) {
  Array<T>* grown = context.MakeArray<T>(old->length() * 2);
  for (size_t i = 0; i < old->length(); ++i) (*grown)[i] = (*old)[i];
  return grown;
}

uint32_t TagOf(uint64_t hash, size_t length) {
  return (static_cast<uint32_t>(hash) & ~uint32_t{15}) |
         static_cast<uint32_t>(std::min<size_t>(length, 9));
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
      keys_(context.MakeArray<Member<Text>>(kFirstPairs)),
      values_(context.MakeArray<Member<AnyValue>>(kFirstPairs)) {
  if (job.combine) table_.resize(kFirstBuckets);
}

void MapBuffer::Stage(std::string_view key, AnyValue* value, uint64_t value_bytes) {
  if (key.size() > Text::kMaxLength) throw std::length_error("a key of more than 4 GiB");
  const uint64_t hash = HashBytes(key);
  // The usual partition takes the hash that the table needs as well, and cannot fail. It is a
  // division, which most pairs of a job with a combiner never need.
  const uint32_t partition = by_hash_ ? 0 : job_.partition(key, job_.reducers);
  if (partition >= job_.reducers) {
    throw std::out_of_range(
        fmt::format("partition {} of a key; there are {}", partition, job_.reducers));
  }
  if (staged_.size() == staged_values_->length()) {
    staged_values_ = Doubled(context_, staged_values_);
  }
  if (!table_.empty()) __builtin_prefetch(&table_[HomeOf(TagOf(hash, key.size()))]);
  staged_values_->data()[staged_.size()] = value;
  const KeyStamp stamp = StampOf(key);
  staged_.push_back({stamp, staged_keys_.size(), hash, value_bytes, partition});
  if (!stamp.is_short()) staged_keys_.append(key);
}

// Has the processor load the value that the combiner will be given, if it is found at once.
inline void MapBuffer::PrefetchValue(const Staged& staged) const {
  const uint32_t tag = TagOf(staged.hash, staged.stamp.length);
  const Bucket& bucket = table_[HomeOf(tag)];
  if (bucket.position_plus_1 == 0 || bucket.tag != tag) return;
  __builtin_prefetch((*values_)[bucket.position_plus_1 - 1].Get());
}

void MapBuffer::Commit() {
  for (size_t begin = 0, end; begin < staged_.size(); begin = end) {
    end = std::min(begin + kAtOnce, staged_.size());
    if (!table_.empty()) {
      for (size_t i = begin; i < end; ++i) PrefetchValue(staged_[i]);
    }
    for (size_t i = begin; i < end; ++i) {
      const Staged& staged = staged_[i];
      const ShortKey short_key(staged.stamp);
      Add(staged.stamp.is_short()
              ? short_key.view()
              : std::string_view(staged_keys_).substr(staged.key_at, staged.stamp.length),
          staged_values_->data()[i], staged);
    }
  }
  pairs_in_ += staged_.size();
  Drop();
  if (bytes_ > job_.share_bytes || entries_.size() > kMostPairs) Spill();
}

void MapBuffer::Drop() {
  for (size_t i = 0; i < staged_.size(); ++i) staged_values_->data()[i] = nullptr;
  staged_.clear();
  staged_keys_.clear();
}

inline bool MapBuffer::Combine(std::string_view key, AnyValue* value, size_t position) {
  try {
    AnyValue* both = job_.combine(context_, key, (*values_)[position], value);
    (*values_)[position] = both;
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
    bucket = &Find(key, staged.stamp, TagOf(staged.hash, key.size()));
    if (bucket->position_plus_1 != 0 && Combine(key, value, bucket->position_plus_1 - 1)) return;
  }
  const size_t position = entries_.size();
  if (position == keys_->length()) {
    keys_ = Doubled(context_, keys_);
    values_ = Doubled(context_, values_);
  }
  (*keys_)[position] = context_.MakeText(key);
  (*values_)[position] = value;
  const uint64_t bytes = kPairBytes + key.size() + staged.value_bytes;
  bytes_ += bytes;
  const uint32_t partition =
      by_hash_ ? PartitionOfHash(staged.hash, job_.reducers) : staged.partition;
  entries_.push_back({staged.stamp, partition, bytes});
  if (bucket != nullptr && bucket->position_plus_1 == 0) {
    *bucket = {staged.stamp.prefix, TagOf(staged.hash, key.size()),
               static_cast<uint32_t>(entries_.size())};
  }
}

void MapBuffer::GrowTable() {
  std::vector<Bucket> old(table_.size() * 2);
  old.swap(table_);
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
  keys_ = context_.MakeArray<Member<Text>>(kFirstPairs);
  values_ = context_.MakeArray<Member<AnyValue>>(kFirstPairs);
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
