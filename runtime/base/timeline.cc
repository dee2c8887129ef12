#include "runtime/base/timeline.h"

#include <fmt/format.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <iterator>
#include <new>
#include <string_view>
#include <utility>
#include <vector>

namespace tandem::base {
namespace {

// A track's last events are kept for kinds that are rare and matter: one in so many.
constexpr size_t kKeptShare = 16;

struct Kind {
  const char* name;
  const char* category;
  const char* argument;  // its name; null: there is none
  const char* second;
  bool is_frequent;  // may not take what is kept for the rare
};

constexpr Kind kKinds[kSpans] = {
    {"", "", nullptr, nullptr, true},
    {"", "phase", nullptr, nullptr, false},
    {"allocation stall", "collect", "bytes", nullptr, false},
    {"cycle", "collect", "live_bytes", nullptr, false},
    {"mark", "collect", "objects", nullptr, false},
    {"sweep", "collect", "freed_bytes", nullptr, false},
    {"handshake", "collect", "threads", nullptr, false},
    {"pause", "collect", nullptr, nullptr, false},
    {"fetch", "fetch", "page", nullptr, true},
    {"fetch (collector)", "fetch", "page", nullptr, true},
    {"post range", "fetch", "pages", nullptr, true},
    {"post prefetch", "fetch", "pages", nullptr, true},
    {"post hint", "fetch", "pages", nullptr, true},
    {"post look-ahead", "fetch", "pages", nullptr, true},
    {"post trace", "fetch", "pages", nullptr, true},
    {"evict", "evict", "pages", "written", true},
    {"local pages", "memory", "pages", nullptr, true},
};

const Kind& KindOf(Span span) { return kKinds[static_cast<size_t>(span)]; }
bool IsPost(Span span) { return span >= Span::kPostRange && span <= Span::kPostTrace; }

// This thread's track. Plain data: the fault handler reads it.
constinit __thread uint64_t t_generation = 0;
constinit __thread void* t_track = nullptr;

constinit std::atomic<uint64_t> g_generations{0};

}  // namespace

// Writes JSON piece by piece; remembers the first error.
class JsonFile {
 public:
  explicit JsonFile(int fd) : fd_(fd) {}

  template <typename... Args>
  void Put(fmt::format_string<Args...> format, Args&&... args) {
    fmt::format_to(std::back_inserter(buffer_), format, std::forward<Args>(args)...);
    if (buffer_.size() >= kFlushBytes) Flush();
  }
  void PutString(std::string_view text) {
    buffer_.push_back('"');
    for (const char c : text) {
      // Names come from programmers: what JSON or UTF-8 would not take is not worth keeping.
      const auto byte = static_cast<unsigned char>(c);
      if (byte == '"' || byte == '\\') buffer_.push_back('\\');
      buffer_.push_back(byte < 0x20 || byte > 0x7e ? '?' : c);
    }
    buffer_.push_back('"');
  }
  // Of a time since the start: JSON wants microseconds.
  void PutMicroseconds(uint64_t ns) { Put("{}.{:03}", ns / 1000, ns % 1000); }

  void Flush() {
    for (size_t done = 0; done < buffer_.size() && error_ == 0;) {
      const ssize_t n = ::write(fd_, buffer_.data() + done, buffer_.size() - done);
      if (n >= 0) {
        done += static_cast<size_t>(n);
      } else if (errno != EINTR) {
        error_ = errno;
      }
    }
    buffer_.clear();
  }
  int error() const { return error_; }

 private:
  static constexpr size_t kFlushBytes = 64 << 10;
  const int fd_;
  fmt::memory_buffer buffer_;
  int error_ = 0;
};

constinit std::atomic<Timeline*> Timeline::active{nullptr};

StatusOr<std::unique_ptr<Timeline>> Timeline::Start(TimelineOptions options) {
  auto memory = OsMemory::Reserve(options.threads * options.events_a_thread * sizeof(Event),
                                  kPageSize, "the timeline");
  if (!memory.ok()) return memory.status();
  std::unique_ptr<Timeline> timeline(new Timeline(options, std::move(*memory)));
  Timeline* none = nullptr;
  // Release: see Active.
  if (!active.compare_exchange_strong(none, timeline.get(), std::memory_order_release,
                                      std::memory_order_relaxed)) {
    return Status::InvalidArgument("this process records a timeline already: one at a time");
  }
  return timeline;
}

Timeline::Timeline(TimelineOptions options, OsMemory memory)
    : options_(options),
      for_all_(options.events_a_thread - (options.events_a_thread / kKeptShare)),
      generation_(g_generations.fetch_add(1, std::memory_order_relaxed) + 1),
      start_ns_(NowNs()),
      memory_(std::move(memory)),
      tracks_(std::make_unique<Track[]>(options.threads)) {
  for (size_t i = 0; i < options_.threads; ++i) {
    // The kernel's zeroes are events that are not there: Span::kNone.
    tracks_[i].events = reinterpret_cast<Event*>(memory_.data()) + (i * options_.events_a_thread);
  }
}

Timeline::~Timeline() { Stop(); }

void Timeline::Stop() {
  Timeline* self = this;
  // Relaxed: what was recorded is read by the release stores of each event.
  active.compare_exchange_strong(self, nullptr, std::memory_order_relaxed);
}

Timeline::Track* Timeline::TrackOfThisThread() {
  if (t_generation == generation_) return static_cast<Track*>(t_track);
  // Relaxed: only a number. A signal handler that comes in between takes a second track for the
  // thread, which does no harm.
  const size_t index = tracks_used_.fetch_add(1, std::memory_order_relaxed);
  Track* track = nullptr;
  if (index < options_.threads) {
    track = &tracks_[index];
    ::prctl(PR_GET_NAME, track->name.data());
    track->thread_id.store(::gettid(), std::memory_order_release);  // the name is there
  }
  t_track = track;
  t_generation = generation_;
  return track;
}

void Timeline::Add(Span span, uint64_t begin_ns, uint64_t end_ns, uint64_t argument,
                   uint32_t second) {
  Track* track = TrackOfThisThread();
  if (track == nullptr) {
    without_track_.fetch_add(1, std::memory_order_relaxed);
    return;
  }
  const size_t limit = KindOf(span).is_frequent ? for_all_ : options_.events_a_thread;
  // By CAS because a signal handler of this thread may add one in between. Relaxed: events are
  // published one by one, below.
  size_t index = track->used.load(std::memory_order_relaxed);
  do {
    if (index >= limit) {
      track->dropped.fetch_add(1, std::memory_order_relaxed);
      return;
    }
  } while (!track->used.compare_exchange_weak(index, index + 1, std::memory_order_relaxed));
  Event& event = track->events[index];
  event.begin_ns = begin_ns;
  event.duration_ns = end_ns - begin_ns;
  event.argument = argument;
  event.second = second;
  event.span.store(span, std::memory_order_release);  // the event is whole
}

uint64_t Timeline::dropped() const {
  uint64_t sum = without_track_.load(std::memory_order_relaxed);
  for (size_t i = 0; i < options_.threads; ++i) {
    sum += tracks_[i].dropped.load(std::memory_order_relaxed);
  }
  return sum;
}

Status Timeline::Write(int fd) const {
  JsonFile file(fd);
  file.Put(R"({{"displayTimeUnit":"ns","otherData":{{"dropped_events":{}}},"traceEvents":[)"
           "\n"
           R"({{"ph":"M","name":"process_name","pid":{},"args":{{"name":"tandem"}}}})",
           dropped(), ::getpid());
  const size_t tracks = std::min(tracks_used_.load(std::memory_order_relaxed), options_.threads);
  for (size_t i = 0; i < tracks; ++i) WriteTrack(file, tracks_[i]);
  file.Put("\n]}}\n");
  file.Flush();
  if (file.error() == 0) return Status::Ok();
  return Status::Io(std::strerror(file.error()));
}

void Timeline::WriteTrack(JsonFile& file, const Track& track) const {
  const int pid = ::getpid();
  const int tid = track.thread_id.load(std::memory_order_acquire);
  if (tid == 0) return;  // its thread is only just taking it
  file.Put(
      ",\n"
      R"({{"ph":"M","name":"thread_name","pid":{},"tid":{},"args":{{"name":)",
      pid, tid);
  file.PutString(std::string_view(track.name.data(), ::strnlen(track.name.data(), 16)));
  file.Put("}}}}");

  // An event is recorded when it ends; a viewer wants it where it begins, outer ones first.
  std::vector<const Event*> events;
  const size_t used = track.used.load(std::memory_order_relaxed);
  events.reserve(used);
  for (size_t i = 0; i < used; ++i) {
    const Event& event = track.events[i];
    if (event.span.load(std::memory_order_acquire) != Span::kNone) events.push_back(&event);
  }
  std::stable_sort(events.begin(), events.end(), [](const Event* a, const Event* b) {
    if (a->begin_ns != b->begin_ns) return a->begin_ns < b->begin_ns;
    if (a->duration_ns != b->duration_ns) return a->duration_ns > b->duration_ns;
    return a->span.load(std::memory_order_relaxed) < b->span.load(std::memory_order_relaxed);
  });

  for (const Event* event : events) {
    const Span span = event->span.load(std::memory_order_relaxed);
    const Kind& kind = KindOf(span);
    file.Put(",\n{{\"pid\":{},\"tid\":{},\"cat\":\"{}\",\"name\":", pid, tid, kind.category);
    if (span == Span::kPhase) {
      file.PutString(reinterpret_cast<const char*>(event->argument));
    } else {
      file.PutString(kind.name);
    }
    // What began before the timeline did begins with it.
    const uint64_t begin = std::max(event->begin_ns, start_ns_);
    const uint64_t end = std::max(event->begin_ns + event->duration_ns, start_ns_);
    file.Put(",\"ts\":");
    file.PutMicroseconds(begin - start_ns_);
    if (span == Span::kLocalPages) {
      file.Put(",\"ph\":\"C\"");
    } else if (IsPost(span)) {
      file.Put(R"(,"ph":"i","s":"t")");
    } else {
      file.Put(",\"ph\":\"X\",\"dur\":");
      file.PutMicroseconds(end - begin);
    }
    if (kind.argument != nullptr) {
      file.Put(",\"args\":{{\"{}\":{}", kind.argument, event->argument);
      if (kind.second != nullptr) file.Put(",\"{}\":{}", kind.second, event->second);
      file.Put("}}");
    }
    file.Put("}}");
  }
}

}  // namespace tandem::base
