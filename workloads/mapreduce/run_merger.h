// RunMerger: walks sorted runs at once and shows their pairs key by key.
//
// Lives on the stack of one worker's thread. Runs that it is through with are given up at once.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "workloads/mapreduce/job.h"

namespace tandem::workloads::mapreduce {

class RunMerger {
 public:
  // Takes the runs out of `runs` as it goes. Of equal keys those of the earlier run come first.
  // `for_values`: those of each key will be read, so the first of them are loaded
  // with its pairs, and fetched if they are far.
  RunMerger(Context& context, Runs* runs, bool for_values);
  RunMerger(const RunMerger&) = delete;
  RunMerger& operator=(const RunMerger&) = delete;

  // Goes on to the next key. False at the end.
  bool NextKey();

  // Of the key that it is at, until the next NextKey().
  Text* key() const { return key_; }
  std::span<const Values::Extent> extents() const { return extents_; }

 private:
  struct Cursor {
    KeyStamp stamp;  // behind the end its prefix is the highest there is
    // Native, but of a run that is still in `runs_`.
    Pairs* pairs;
    KeyStamps* stamps;
    size_t at;
    size_t end;
  };

  static Text* KeyAt(const Cursor& cursor) { return (*cursor.pairs)[cursor.at]->key; }
  static int CompareKeys(const Cursor& a, const Cursor& b);
  // Of the runs' cursors. Of equal keys that of the later run is later.
  bool IsLater(uint32_t a, uint32_t b) const;
  // `run`, which came first, has gone on: lets it play again the matches that it had won.
  void Replay(uint32_t run);

  Context& context_;
  Runs* const runs_;
  const bool for_values_;
  std::vector<Cursor> cursors_;  // by run
  // A tournament: match i, from 1, is between those who come up from 2i and 2i + 1, where the
  // numbers behind the matches are the runs. The later one stays, the earlier goes up, and who wins
  // match 1 comes first. So a run that goes on is compared once a level.
  std::vector<uint32_t> losers_;
  uint32_t first_ = 0;
  std::vector<uint32_t> through_;
  Text* key_ = nullptr;
  // Native, but each refers to pairs of a run that is still in `runs_`.
  std::vector<Values::Extent> extents_;
};

// One run in place of several, in fresh objects that lie in the order in which they will be read.
// Throws HeapExhausted.
Run* MergeRuns(Context& context, Runs* runs);

}  // namespace tandem::workloads::mapreduce
