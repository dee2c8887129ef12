// Event: one thing that an application did to its heap, as far as policies can tell.
//
// A recording is a sequence of these (format.h); the simulator is driven by nothing else. Places
// are counted in granules of 16 bytes and in pages, from the heap's base, so that a sequence means
// the same wherever the heap lay. A value.
#pragma once

#include <cstdint>
#include <vector>

#include "tandem/status.h"

namespace tandem::record {

enum class Kind : uint8_t {
  kAccess = 1,  // `object` is used, on its page number `index`
  kRepeat,      // the last access, `count` times again
  kBirth,       // `object`, of `count` granules; `leaf`: it has no references
  kStore,       // `target` (kNull: null) goes to word `index` behind the header of `object`
  kRange,       // `count` pages from page `index` on are needed now
  kHint,        // the same, soon
  kThread,      // what follows was done by thread `index`
  kCycle,       // a cycle begins; `roots` are reachable
  kRoots,       // more roots of the cycle that began last
  kWait,        // the application waits for the end of the cycle
};

struct Event {
  static constexpr uint64_t kNull = UINT64_MAX;

  Kind kind = Kind::kWait;
  uint64_t object = 0;  // the granule of its header
  uint64_t index = 0;
  uint64_t count = 0;
  uint64_t target = kNull;
  bool leaf = false;
  std::vector<uint64_t> roots;
};

// A sequence of events that is read once, from the start. One thread.
class EventSource {
 public:
  virtual ~EventSource() = default;

  // Limit of the heap that the events are about; all places lie below it.
  virtual uint64_t heap_bytes() const = 0;
  // False at the end; an error if the rest makes no sense.
  virtual StatusOr<bool> Next(Event& event) = 0;
};

}  // namespace tandem::record
