#include "workloads/mapreduce/run_merger.h"

#include <algorithm>

#include "workloads/mapreduce/key_order.h"

namespace tandem::workloads::mapreduce {

namespace {

// Longer keys are not copied by a merge: they fill pages of their own anyhow.
constexpr size_t kLongKey = 512;

}  // namespace

RunMerger::RunMerger(Context& context, Runs* runs) : context_(context), runs_(runs) {
  for (size_t i = 0; i < runs->length(); ++i) {
    if ((*runs)[i]->pairs->length() != 0) Push({0, static_cast<uint32_t>(i), 0});
  }
}

Text* RunMerger::KeyAt(const Cursor& cursor) const {
  return (*(*runs_)[cursor.run]->pairs)[cursor.at]->key;
}

bool RunMerger::IsLater(const Cursor& a, const Cursor& b) const {
  if (a.prefix != b.prefix) return a.prefix > b.prefix;
  const int by_key = KeyAt(a)->view().compare(KeyAt(b)->view());
  return by_key != 0 ? by_key > 0 : a.run > b.run;
}

void RunMerger::Push(Cursor cursor) {
  cursor.prefix = KeyPrefix(KeyAt(cursor)->view());
  cursors_.push_back(cursor);
  std::push_heap(cursors_.begin(), cursors_.end(),
                 [this](const Cursor& a, const Cursor& b) { return IsLater(a, b); });
}

bool RunMerger::NextKey() {
  for (const uint32_t run : through_) (*runs_)[run] = nullptr;
  through_.clear();
  extents_.clear();
  context_.mutator().Safepoint();
  if (cursors_.empty()) return false;
  key_ = KeyAt(cursors_.front());
  const uint64_t prefix = cursors_.front().prefix;
  while (!cursors_.empty() && cursors_.front().prefix == prefix &&
         KeyAt(cursors_.front())->view() == key_->view()) {
    std::pop_heap(cursors_.begin(), cursors_.end(),
                  [this](const Cursor& a, const Cursor& b) { return IsLater(a, b); });
    Cursor cursor = cursors_.back();
    cursors_.pop_back();
    Pairs* pairs = (*runs_)[cursor.run]->pairs;
    const size_t begin = cursor.at;
    while (++cursor.at < pairs->length() && KeyAt(cursor)->view() == key_->view()) {
      if (cursor.at % 1024 == 0) context_.mutator().Safepoint();
    }
    extents_.push_back({pairs, begin, cursor.at});
    if (cursor.at < pairs->length()) {
      Push(cursor);
    } else {
      through_.push_back(cursor.run);
    }
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
  RunMerger merger(context, runs);
  for (size_t at = 0; merger.NextKey();) {
    std::string_view view = merger.key()->view();
    Text* key = view.size() < kLongKey ? context.MakeText(view) : merger.key();
    for (const Values::Extent& extent : merger.extents()) {
      for (size_t i = extent.begin; i < extent.end; ++i) {
        (*merged)[at++] = context.Make<Pair>(key, (*extent.pairs)[i]->value.Get());
      }
    }
  }
  return context.Make<Run>(merged, bytes);
}

}  // namespace tandem::workloads::mapreduce
