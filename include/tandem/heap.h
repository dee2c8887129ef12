// Heap: a managed heap that may be larger than local memory.
//
// Create one, attach threads with a Mutator each, make objects with MakeGarbageCollected. Several
// heaps may live in one process; references must not lead from one into another (use Persistent).
// All methods may be called from any thread unless they say otherwise.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tandem/status.h"

namespace tandem {

class Recording;
namespace internal {
class HeapImpl;
}

// Why a page could not be brought in or saved.
struct LostPage {
  const void* address;  // the page's first byte; null if no single page is meant
  const char* reason;   // one line: page, memory server, cause; good until this thread's next loss
};

struct HeapOptions {
  // Limit of the heap and size of its address range, in bytes. Rounded up to 64 KiB.
  uint64_t heap_bytes = uint64_t{1} << 30;

  // How much of the heap may be in local memory, in bytes, rounded down to pages; kAllLocal: all.
  // At least kMinLocalBytes. Metadata and transfer buffers are counted apart (see Memory()).
  static constexpr uint64_t kAllLocal = UINT64_MAX;
  static constexpr uint64_t kMinLocalBytes = 64 * 4096;
  uint64_t local_bytes = kAllLocal;

  // Where far pages go: see `tandem list` or ListComponents().
  std::string fabric = "emulated:rdma40";

  // In which order the collector traces, and with how many threads. Options stand behind an order's
  // name: "lineup,max_depth=2" (docs/orders.md).
  std::string order = "lineup";
  unsigned tracer_threads = 1;

  // Which far pages are brought in before anybody asks.
  std::string prefetcher = "none";

  // Which local pages leave when frames are short.
  std::string replacement = "clock";

  // A cycle starts so that it ends before the heap has grown by this factor over what was live
  // after the last one, or has reached heap_bytes, or local_bytes if what was live fits there with
  // room to spare. The first starts when half of heap_bytes, or 32 MiB, have been allocated.
  double growth = 2.0;

  // False: only Collect() and a full heap start a cycle.
  bool automatic = true;

  // False: do without UFFDIO_MOVE even where the kernel has it.
  bool use_move = true;

  // Called on the thread that needs a page which cannot be had (the memory server died, or the
  // bytes stay damaged after retries), or that cannot be attached for that reason; perhaps inside
  // the SIGBUS handler, so it must be async-signal-safe. It should not return: if it does, or is
  // empty, the process prints the reason and aborts.
  std::function<void(const LostPage&)> on_lost_page = {};

  // Where what threads do is recorded (recording.h); null: nowhere. Costs a lot.
  Recording* recording = nullptr;

  // Modes for testing. They cost a lot.
  uint64_t collect_every = 0;  // run a cycle at every Nth allocation; 0: do not
  bool verify = false;         // after marking, re-trace with the world stopped and compare
  bool protect_dead = false;   // never reuse dead pages; touching one is a fatal error
};

struct HeapMemory {
  uint64_t heap_used_bytes = 0;   // live after the last cycle + allocated since
  uint64_t local_bytes = 0;       // heap pages in local memory now
  uint64_t local_peak_bytes = 0;  // the most there ever were
  uint64_t local_limit_bytes = 0;
  uint64_t footprint_peak_bytes = 0;  // the most heap pages that ever held something, local or far
  uint64_t staging_bytes = 0;         // transfer buffers
  uint64_t metadata_bytes = 0;        // side tables that are really backed by memory
};

// A name that an option understands, and what it is in a line.
struct Component {
  std::string name;
  std::string summary;
};
struct Components {
  std::vector<Component> orders;
  std::vector<Component> prefetchers;
  std::vector<Component> replacements;
  std::vector<Component> fabrics;
};
Components ListComponents();

class Heap {
 public:
  static StatusOr<std::unique_ptr<Heap>> Create(const HeapOptions& options);

  // No thread may be attached any more. Finalizers that have not run never will.
  ~Heap();
  Heap(const Heap&) = delete;
  Heap& operator=(const Heap&) = delete;

  // Runs a whole cycle and waits for it. If this thread is attached it counts as blocked
  // meanwhile; what its stack refers to stays alive.
  void Collect();

  // Asks for a cycle and returns at once.
  void RequestCollection();

  // Runs the destructors of up to `max` dead objects whose class has a non-trivial one, on this
  // thread, which must be attached. Returns how many ran. A dead object and all it refers to
  // stay intact until its destructor has run; it may even make itself reachable again (it will
  // not be finalized twice). Order is unspecified.
  size_t RunFinalizers(size_t max = SIZE_MAX);

  // Counters and latency quantiles by flat, dotted name (docs/metrics.md).
  std::map<std::string, uint64_t> Counters() const;
  HeapMemory Memory() const;

  // After an allocation has returned null: why the heap could not grow, though heap_bytes allows
  // more, in one line (the memory server is full, is ending, does not answer). Empty if the last
  // attempt to grow succeeded, or was one beyond heap_bytes.
  std::string GrowthTrouble() const;

  internal::HeapImpl& impl() { return *impl_; }

 private:
  explicit Heap(std::unique_ptr<internal::HeapImpl> impl);
  std::unique_ptr<internal::HeapImpl> impl_;
};

}  // namespace tandem
