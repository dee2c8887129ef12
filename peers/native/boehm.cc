// Debian's libgc, the collector of Boehm, Demers and Weiser.
//
// Objects with references are scanned conservatively, as is usual with it; what has none is
// allocated as such. Only stacks and registers may point into the middle of objects: references in
// the heap and roots hold their beginnings. Without that an object of 16 bytes would take 32.
#define GC_THREADS
#define GC_NO_THREAD_REDIRECTS  // threads attach themselves: Mutator
#include <gc.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>

#include "peers/native/backend.h"
#include "tandem/heap.h"

namespace tandem::peers {

const char* BackendName() { return "boehm"; }
bool BackendIsIncremental() { return true; }

Status StartBackend(const HeapOptions& options) {
  GC_set_all_interior_pointers(0);
  // A heap that is full is reported by the workload, in one line.
  GC_set_warn_proc(GC_ignore_warn_proc);
  GC_INIT();
  GC_allow_register_threads();
  if (options.heap_bytes != 0) GC_set_max_heap_size(options.heap_bytes);
  if (options.incremental) {
    GC_enable_incremental();
    if (GC_is_incremental_mode() == 0) {
      return Status::Unavailable("this libgc cannot collect incrementally here");
    }
  }
  return Status::Ok();
}

void* AllocateZeroed(size_t bytes, Content content) {
  if (content == Content::kReferences) return GC_malloc(bytes);
  void* memory = GC_malloc_atomic(bytes);
  if (memory != nullptr) std::memset(memory, 0, bytes);
  return memory;
}

Root* NewRoot() {
  void* memory = GC_malloc_uncollectable(sizeof(Root));
  if (memory == nullptr) {
    std::fputs("peer-boehm: the heap is full while making a root\n", stderr);
    std::exit(1);
  }
  return ::new (memory) Root(nullptr);
}
void DeleteRoot(Root* root) { GC_free(root); }

bool AttachThread() {
  GC_stack_base stack;
  return GC_get_stack_base(&stack) == GC_SUCCESS && GC_register_my_thread(&stack) == GC_SUCCESS;
}
void DetachThread() { GC_unregister_my_thread(); }

void CollectNow() { GC_gcollect(); }

void Measure(HeapMemory& memory) {
  // It gives nothing back unless it is told to.
  memory.footprint_peak_bytes = GC_get_heap_size();
  memory.heap_used_bytes = GC_get_heap_size() - GC_get_free_bytes();
}

void AddCounters(std::map<std::string, uint64_t>& counters) {
  counters["gc.cycles"] = GC_get_gc_no();
  counters["heap.allocated_bytes"] = GC_get_total_bytes();
}

}  // namespace tandem::peers
