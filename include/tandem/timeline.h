// Timeline: a recording of what all heaps of this process do, and when, for ui.perfetto.dev.
//
// It holds fetches, evictions, cycles and their parts, handshakes, pauses, allocations that stalled
// and the application's own phases, one track a thread (docs/tracing.md). There is at most one at a
// time; while there is none it costs next to nothing. Memory: 32 bytes an event, at most 16 MiB a
// thread; what no longer fits is left out and counted.
//
// A Timeline belongs to the thread that has started it. It must outlive the heaps that it has seen,
// and phases that are open.
#pragma once

#include <cstdint>
#include <memory>

#include "tandem/status.h"

namespace tandem {

namespace base {
class Timeline;
}

class Timeline {
 public:
  // Begins to record.
  static StatusOr<std::unique_ptr<Timeline>> Start();
  ~Timeline();
  Timeline(const Timeline&) = delete;
  Timeline& operator=(const Timeline&) = delete;

  // Ends recording and writes it to the file as Chrome's trace-event JSON. At most once.
  Status Write(int fd);

  // Events that found no room.
  uint64_t dropped() const;

 private:
  explicit Timeline(std::unique_ptr<base::Timeline> impl);
  std::unique_ptr<base::Timeline> impl_;
};

// A slice of this thread's track that lasts as long as this object, if a timeline is recorded when
// it ends. May nest. Any thread.
class TimelinePhase {
 public:
  explicit TimelinePhase(const char* name);  // a literal
  ~TimelinePhase();
  TimelinePhase(const TimelinePhase&) = delete;
  TimelinePhase& operator=(const TimelinePhase&) = delete;

 private:
  const char* name_;
  uint64_t begin_ns_;
};

}  // namespace tandem
