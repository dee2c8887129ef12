#include "workloads/mapreduce/run_merger.h"

#include <algorithm>

namespace tandem::workloads::mapreduce {

namespace {

// Longer keys are not copied by a merge: they fill pages of their own anyhow.
constexpr size_t kLongKey = 512;

}  // namespace

RunMerger::RunMerger(Context& context, Runs* runs) : context_(context), runs_(runs) {
  for (size_t i = 0; i < runs->length(); ++i) {
    if ((*runs)[i]->pairs->length() == 0) continue;
    cursors_.push_back({(*(*runs)[i]->stamps)[0], static_cast<uint32_t>(i), 0});
  }
  for (size_t i = cursors_.size() / 2; i > 0; --i) SiftDown(i - 1);
}

Text* RunMerger::KeyAt(const Cursor& cursor) const {
  return (*(*runs_)[cursor.run]->pairs)[cursor.at]->key;
}

int RunMerger::CompareKeys(const Cursor& a, const Cursor& b) const {
  return Compare(a.stamp, b.stamp, [&] { return KeyAt(a)->view().compare(KeyAt(b)->view()); });
}

bool RunMerger::IsLater(const Cursor& a, const Cursor& b) const {
  const int by_key = CompareKeys(a, b);
  return by_key != 0 ? by_key > 0 : a.run > b.run;
}

void RunMerger::SiftDown(size_t hole) {
  const Cursor moving = cursors_[hole];
  for (size_t child; (child = 2 * hole + 1) < cursors_.size(); hole = child) {
    if (child + 1 < cursors_.size() && IsLater(cursors_[child], cursors_[child + 1])) ++child;
    if (!IsLater(moving, cursors_[child])) break;
    cursors_[hole] = cursors_[child];
  }
  cursors_[hole] = moving;
}

bool RunMerger::NextKey() {
  for (const uint32_t run : through_) (*runs_)[run] = nullptr;
  through_.clear();
  extents_.clear();
  context_.mutator().Safepoint();
  if (cursors_.empty()) return false;
  const Cursor first = cursors_.front();
  key_ = KeyAt(first);
  while (!cursors_.empty() && CompareKeys(cursors_.front(), first) == 0) {
    Cursor& cursor = cursors_.front();
    Run& run = *(*runs_)[cursor.run];
    KeyStamps& stamps = *run.stamps;
    const size_t begin = cursor.at;
    while (++cursor.at < stamps.length()) {
      cursor.stamp = stamps[cursor.at];
      if (CompareKeys(cursor, first) != 0) break;
      if (cursor.at % 1024 == 0) context_.mutator().Safepoint();
    }
    extents_.push_back({run.pairs, begin, cursor.at});
    if (cursor.at == stamps.length()) {
      through_.push_back(cursor.run);
      cursor = cursors_.back();
      cursors_.pop_back();
    }
    if (!cursors_.empty()) SiftDown(0);
  }
  return true;
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
  RunMerger merger(context, runs);
  for (size_t at = 0; merger.NextKey();) {
    std::string_view view = merger.key()->view();
    Text* key = view.size() < kLongKey ? context.MakeText(view) : merger.key();
    for (const Values::Extent& extent : merger.extents()) {
      for (size_t i = extent.begin; i < extent.end; ++i) {
        (*stamps)[at] = StampOf(view);
        (*merged)[at++] = context.Make<Pair>(key, (*extent.pairs)[i]->value.Get());
      }
    }
  }
  return context.Make<Run>(merged, stamps, bytes);
}

}  // namespace tandem::workloads::mapreduce
