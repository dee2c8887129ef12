#include "workloads/mapreduce/run_merger.h"

#include <cstdint>
#include <utility>

namespace tandem::workloads::mapreduce {

namespace {

// Longer keys are not copied by a merge: they fill pages of their own anyhow.
constexpr size_t kLongKey = 512;

constexpr KeyStamp kBehindAll{UINT64_MAX, UINT32_MAX};

}  // namespace

RunMerger::RunMerger(Context& context, Runs* runs, bool for_values)
    : context_(context), runs_(runs), for_values_(for_values) {
  const size_t count = runs->length();
  for (size_t i = 0; i < count; ++i) {
    Run& run = *(*runs)[i];
    const size_t length = run.pairs->length();
    cursors_.push_back({kBehindAll, run.pairs, run.stamps, 0, length});
    if (length != 0) cursors_.back().stamp = (*run.stamps)[0];
  }
  losers_.resize(count);
  std::vector<uint32_t> winners(2 * count);
  for (size_t i = 0; i < count; ++i) winners[count + i] = static_cast<uint32_t>(i);
  for (size_t match = count; match-- > 1;) {
    winners[match] = winners[2 * match];
    losers_[match] = winners[2 * match + 1];
    if (IsLater(winners[match], losers_[match])) std::swap(winners[match], losers_[match]);
  }
  if (count != 0) first_ = winners[1];
}

inline int RunMerger::CompareKeys(const Cursor& a, const Cursor& b) {
  return Compare(a.stamp, b.stamp, [&] { return KeyAt(a)->view().compare(KeyAt(b)->view()); });
}

inline bool RunMerger::IsLater(uint32_t a, uint32_t b) const {
  const Cursor& left = cursors_[a];
  const Cursor& right = cursors_[b];
  if (left.stamp.prefix != right.stamp.prefix) return left.stamp.prefix > right.stamp.prefix;
  if (left.at == left.end || right.at == right.end) return left.at == left.end;
  const int by_key = CompareKeys(left, right);
  return by_key != 0 ? by_key > 0 : a > b;
}

inline void RunMerger::Replay(uint32_t run) {
  for (size_t match = (run + losers_.size()) / 2; match > 0; match /= 2) {
    if (IsLater(run, losers_[match])) std::swap(run, losers_[match]);
  }
  first_ = run;
}

bool RunMerger::NextKey() {
  for (const uint32_t run : through_) (*runs_)[run] = nullptr;
  through_.clear();
  extents_.clear();
  context_.mutator().Safepoint();
  if (cursors_.empty() || cursors_[first_].at == cursors_[first_].end) return false;
  const Cursor first = cursors_[first_];
  key_ = KeyAt(first);
  for (;;) {
    Cursor& cursor = cursors_[first_];
    if (cursor.at == cursor.end || CompareKeys(cursor, first) != 0) return true;
    const size_t begin = cursor.at;
    // On its way while the other runs are still asked for theirs.
    if (for_values_ && extents_.size() < Values::kAhead) {
      __builtin_prefetch((*cursor.pairs)[begin]->value.Get());
    }
    while (++cursor.at < cursor.end) {
      cursor.stamp = (*cursor.stamps)[cursor.at];
      if (CompareKeys(cursor, first) != 0) break;
      if (cursor.at % 1024 == 0) context_.mutator().Safepoint();
    }
    extents_.push_back({cursor.pairs, begin, cursor.at});
    if (cursor.at < cursor.end) {
      // Each run is read in order, but of many runs too slowly for the processor to notice.
      const Pair* next = (*cursor.pairs)[cursor.at];
      __builtin_prefetch(next + 3);
      __builtin_prefetch(cursor.stamps->data() + cursor.at + 4);
      __builtin_prefetch(cursor.pairs->data() + cursor.at + 8);
    } else {
      cursor.stamp = kBehindAll;
      through_.push_back(first_);
    }
    Replay(first_);
  }
}

Run* MergeRuns(Context& context, Runs* runs) {
  size_t length = 0;
  uint64_t bytes = 0;
  for (size_t i = 0; i < runs->length(); ++i) {
    length += (*runs)[i]->pairs->length();
    bytes += (*runs)[i]->bytes;
  }
  Pairs* merged = context.MakeArray<Member<Pair>>(length);
  KeyStamps* stamps = context.MakeArray<KeyStamp>(length);
  RunMerger merger(context, runs, /*for_values=*/false);
  for (size_t at = 0; merger.NextKey();) {
    std::string_view view = merger.key()->view();
    Text* key = view.size() < kLongKey ? context.MakeText(view) : merger.key();
    for (const Values::Extent& extent : merger.extents()) {
      for (size_t i = extent.begin; i < extent.end; ++i) {
        (*stamps)[at] = StampOf(view);
        (*merged)[at++] = context.Make<Pair>(key, (*extent.pairs)[i]->value);
      }
    }
  }
  return context.Make<Run>(merged, stamps, bytes);
}

}  // namespace tandem::workloads::mapreduce
