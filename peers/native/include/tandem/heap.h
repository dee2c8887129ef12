// Heap, for a peer: the same names over another memory manager.
//
// What workloads see of include/tandem/heap.h, so that their text stays the same. There is at most
// one a process, and it lasts: the memory managers behind it (peers/native/backend.h) cannot be
// taken down. Threads as for the original.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "tandem/status.h"

namespace tandem {

// Tools that peers share with the command name it; no peer loses a page.
struct LostPage {
  const void* address;
  const char* reason;
};

struct HeapOptions {
  uint64_t heap_bytes = uint64_t{1} << 30;  // 0: no limit. A backend may have none
  bool incremental = false;
};

struct HeapMemory {
  uint64_t heap_used_bytes = 0;
  uint64_t local_bytes = 0;           // what the process has in memory now, less outside_bytes
  uint64_t footprint_peak_bytes = 0;  // the most that the memory manager has taken for objects
  uint64_t process_peak_bytes = 0;    // the most that the process had in memory, all told
  uint64_t outside_bytes = 0;         // what it had there before the heap held anything
};

class Heap {
 public:
  // Fails if there was one before.
  static StatusOr<std::unique_ptr<Heap>> Create(const HeapOptions& options);

  Heap(const Heap&) = delete;
  Heap& operator=(const Heap&) = delete;

  void Collect();
  void RequestCollection() {}  // they decide for themselves

  std::map<std::string, uint64_t> Counters() const;
  HeapMemory Memory() const;
  std::string GrowthTrouble() const { return {}; }  // nobody lends to them

 private:
  explicit Heap(uint64_t outside_bytes) : outside_bytes_(outside_bytes) {}

  const uint64_t outside_bytes_;
};

}  // namespace tandem
