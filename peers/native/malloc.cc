// malloc without collection: nothing is ever freed, so no time goes into finding garbage, and all
// of it stays. Which malloc it is, is decided when the program is linked.
#include <cstdlib>

#include "peers/native/backend.h"
#include "tandem/heap.h"

namespace tandem::peers {

namespace {

// By this thread since it was attached, and by all that have been detached.
thread_local uint64_t t_allocated_bytes = 0;
std::atomic<uint64_t> g_allocated_bytes{0};

// Relaxed: whoever asks has joined the threads that it asks about.
uint64_t AllocatedBytes() { return g_allocated_bytes.load(std::memory_order_relaxed); }

}  // namespace

const char* BackendName() { return TANDEM_PEER_MALLOC; }
bool BackendIsIncremental() { return false; }

Status StartBackend(const HeapOptions&) { return Status::Ok(); }

void* AllocateZeroed(size_t bytes, Content) {
  t_allocated_bytes += bytes;
  return std::calloc(1, bytes);
}

Root* NewRoot() { return new Root(nullptr); }
void DeleteRoot(Root* root) { delete root; }

bool AttachThread() { return true; }
void DetachThread() {
  g_allocated_bytes.fetch_add(t_allocated_bytes, std::memory_order_relaxed);
  t_allocated_bytes = 0;
}

void CollectNow() {}

void Measure(HeapMemory& memory) {
  memory.footprint_peak_bytes = AllocatedBytes();
  memory.heap_used_bytes = AllocatedBytes();
}

void AddCounters(std::map<std::string, uint64_t>& counters) {
  counters["gc.cycles"] = 0;
  counters["heap.allocated_bytes"] = AllocatedBytes();
}

}  // namespace tandem::peers
