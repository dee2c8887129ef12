// TimelinePhase, for a peer: nothing is recorded.
#pragma once

namespace tandem {

class TimelinePhase {
 public:
  explicit TimelinePhase(const char*) {}
  ~TimelinePhase() {}  // not trivial: a phase that nobody names is meant
  TimelinePhase(const TimelinePhase&) = delete;
  TimelinePhase& operator=(const TimelinePhase&) = delete;
};

}  // namespace tandem
