// Recording: what the threads of one heap did, in a file, for `tandem simulate`
// (docs/simulator.md).
//
//   auto recording = tandem::Recording::Create("run.recording");
//   options.recording = recording->get();      // then Heap::Create(options)
//   ...                                        // the heap is used, and destroyed
//   (*recording)->Finish();
//
// It sees births, stores of references, accesses through references, ranges asked for, and cycles
// with their roots. Recording makes each access and allocation take its slow path, which costs a
// lot, but changes no answer and no object's place. It outlives its heap.
#pragma once

#include <memory>
#include <string>

#include "tandem/status.h"

namespace tandem {

namespace record {
class Recorder;
}

class Recording {
 public:
  // The file is opened now, so that one which cannot be written is found out in time.
  static StatusOr<std::unique_ptr<Recording>> Create(const std::string& path);
  ~Recording();
  Recording(const Recording&) = delete;
  Recording& operator=(const Recording&) = delete;

  // Once the heap is gone. Without it the file counts as truncated.
  Status Finish();

  record::Recorder& impl() { return *impl_; }

 private:
  explicit Recording(std::unique_ptr<record::Recorder> impl);
  std::unique_ptr<record::Recorder> impl_;
};

}  // namespace tandem
