// TraceFile: the file of `--trace`, and the timeline that goes there. Main thread.
//
// The file is opened before the run, so that one that cannot be written is found out in time, and
// replaced after it. Without a name, all of this does nothing.
#pragma once

#include <memory>
#include <string>

#include "tandem/status.h"
#include "tandem/timeline.h"

namespace tandem::tools {

class TraceFile {
 public:
  static StatusOr<TraceFile> Open(const std::string& path);
  TraceFile(TraceFile&& other) noexcept;
  TraceFile& operator=(TraceFile&&) = delete;
  ~TraceFile();

  // Begins to record.
  Status Start();
  // Ends that, and writes the file. What the timeline had no room for is a warning.
  Status Write();

 private:
  TraceFile(std::string path, int fd);

  std::string path_;
  int fd_;  // -1: there is none
  std::unique_ptr<Timeline> timeline_;
};

}  // namespace tandem::tools
