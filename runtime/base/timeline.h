// Timeline: records what every thread does, and when, for a trace viewer.
//
// While none is recording, an event costs one load and one branch that is always predicted. While
// one is, each thread writes fixed-size events into a track of its own, memory that was reserved at
// the start: no lock, no allocation, so the fault handler may record as well. A full track drops
// events and counts them; its last part is kept for the rare kinds, so that a long run's cycles and
// phases are there even if its fetches are not.
//
// Process-wide, one at a time: threads of the runtime, and faults of any thread, need no way to it.
// Start, Stop, Write and destruction belong to the owner. Invariants:
//  1. An event is written by one thread (or by a signal handler that interrupts it), and read only
//     once its kind, which is stored last, is there.
//  2. A thread may still be adding when Stop returns. So the owner destroys a timeline only when
//     threads that record are gone or quiet; for those of a heap: when the heap is gone.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "runtime/base/clock.h"
#include "runtime/base/os_memory.h"
#include "tandem/status.h"

namespace tandem::base {

// The kinds of events. Of two that begin at the same time, the outer one stands first.
enum class Span : uint8_t {
  kNone,
  kPhase,           // of the application; argument: its name, a literal
  kStall,           // an allocation waits for a cycle; argument: its bytes
  kCycle,           // argument: bytes that survived
  kMark,            // argument: objects marked
  kSweep,           // argument: bytes freed
  kHandshake,       // argument: threads
  kPause,           // a thread is stopped for the collector
  kFetchMutator,    // a page that a thread of the application waits for; argument: the page
  kFetchCollector,  // the same, for a thread of the collector
  // Reads posted; nobody waits for a single one. Argument: pages.
  kPostRange,
  kPostPrefetch,
  kPostHint,
  kPostLookAhead,
  kPostTrace,
  kEvict,       // a batch; arguments: pages, and those of them that are written back
  kLocalPages,  // a value rather than a time: frames in use
};
inline constexpr size_t kSpans = 17;

struct TimelineOptions {
  size_t events_a_thread = size_t{1} << 19;  // 32 bytes each, backed by memory once written
  size_t threads = 64;
};

class Timeline {
 public:
  // Begins to record; fails if there is a timeline already.
  static StatusOr<std::unique_ptr<Timeline>> Start(TimelineOptions options = {});
  ~Timeline();  // stops as well
  Timeline(const Timeline&) = delete;
  Timeline& operator=(const Timeline&) = delete;

  void Stop();

  // What has been recorded, as JSON that ui.perfetto.dev and chrome://tracing open. Stopped.
  Status Write(int fd) const;

  // Events that found their thread's track full, or no track.
  uint64_t dropped() const;

  // The one that records; null while there is none. Any thread; async-signal-safe.
  static Timeline* Active() {
    // Acquire: its tracks are ready. The same instruction as relaxed on x86.
    return active.load(std::memory_order_acquire);
  }

  // Any thread; async-signal-safe.
  void Add(Span span, uint64_t begin_ns, uint64_t end_ns, uint64_t argument, uint32_t second = 0);

 private:
  struct Event {
    uint64_t begin_ns = 0;
    uint64_t duration_ns = 0;
    uint64_t argument = 0;
    uint32_t second = 0;
    std::atomic<Span> span{Span::kNone};
  };
  static_assert(sizeof(Event) == 32 && std::atomic<Span>::is_always_lock_free);

  struct Track {
    Event* events = nullptr;
    std::atomic<size_t> used{0};
    std::atomic<uint64_t> dropped{0};
    std::atomic<int> thread_id{0};  // stored when `name` is there
    std::array<char, 16> name{};
  };

  Timeline(TimelineOptions options, OsMemory memory);

  Track* TrackOfThisThread();
  void WriteTrack(class JsonFile& file, const Track& track) const;

  static constinit std::atomic<Timeline*> active;

  const TimelineOptions options_;
  const size_t for_all_;       // events of a track that any kind may take
  const uint64_t generation_;  // tells this timeline's tracks from an earlier one's
  const uint64_t start_ns_;
  OsMemory memory_;
  std::unique_ptr<Track[]> tracks_;
  std::atomic<size_t> tracks_used_{0};
  std::atomic<uint64_t> without_track_{0};
};

// What the runtime calls. `second` is a further argument, see Span.
inline void Trace(Span span, uint64_t begin_ns, uint64_t end_ns, uint64_t argument,
                  uint32_t second = 0) {
  if (Timeline* timeline = Timeline::Active(); timeline != nullptr) [[unlikely]] {
    timeline->Add(span, begin_ns, end_ns, argument, second);
  }
}

// Looks at the clock only while a timeline records.
inline void TraceSince(Span span, uint64_t begin_ns, uint64_t argument) {
  if (Timeline* timeline = Timeline::Active(); timeline != nullptr) [[unlikely]] {
    timeline->Add(span, begin_ns, NowNs(), argument);
  }
}

// Something without a length.
inline void TraceNow(Span span, uint64_t argument) {
  if (Timeline* timeline = Timeline::Active(); timeline != nullptr) [[unlikely]] {
    const uint64_t now = NowNs();
    timeline->Add(span, now, now, argument);
  }
}

}  // namespace tandem::base
