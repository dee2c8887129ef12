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
  RunMerger(Context& context, Runs* runs);
  RunMerger(const RunMerger&) = delete;
  RunMerger& operator=(const RunMerger&) = delete;

  // Goes on to the next key. False at the end.
  bool NextKey();

  // Of the key that it is at, until the next NextKey().
  Text* key() const { return key_; }
  std::span<const Values::Extent> extents() const { return extents_; }

 private:
  struct Cursor {
    KeyStamp stamp;
    uint32_t run;
    size_t at;
  };

  Text* KeyAt(const Cursor& cursor) const;
  int CompareKeys(const Cursor& a, const Cursor& b) const;
  bool IsLater(const Cursor& a, const Cursor& b) const;
  // Restores the heap below a place whose cursor may be later than it should be there.
  void SiftDown(size_t hole);

  Context& context_;
  Runs* const runs_;
  std::vector<Cursor> cursors_;  // a heap: the earliest in front
  std::vector<uint32_t> through_;
  Text* key_ = nullptr;
  // Native, but each refers to pairs of a run that is still in `runs_`.
  std::vector<Values::Extent> extents_;
};

// One run in place of several, in fresh objects that lie in the order in which they will be read.
// Throws HeapExhausted.
Run* MergeRuns(Context& context, Runs* runs);

}  // namespace tandem::workloads::mapreduce
