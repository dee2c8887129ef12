// The memory manager of a peer: to be implemented once by each (boehm.cc, malloc.cc).
//
// The headers in peers/native/include/ are written on these functions alone, so workloads are
// compiled once for all peers, and linked with one of them. Any thread, unless it says otherwise.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

#include "tandem/status.h"

namespace tandem {

struct HeapMemory;
struct HeapOptions;

namespace peers {

enum class Content { kReferences, kData };
using Root = std::atomic<void*>;

// `boehm` or `malloc`: what --version and results call it.
const char* BackendName();
bool BackendIsIncremental();  // whether --incremental means something

// On the main thread, once, before anything else of what follows.
Status StartBackend(const HeapOptions& options);

// Zeroed, aligned to 8 bytes and more. Null: there is no more memory.
void* AllocateZeroed(size_t bytes, Content content);

// A word that holds null and that the collector, if there is one, scans. Ends the process with a
// message when there is no more memory.
Root* NewRoot();
void DeleteRoot(Root* root);

// On the thread that it is about. False: it is known already, and must not be detached.
bool AttachThread();
void DetachThread();

void CollectNow();

// Fills in what the backend knows.
void Measure(HeapMemory& memory);
void AddCounters(std::map<std::string, uint64_t>& counters);

}  // namespace peers
}  // namespace tandem
