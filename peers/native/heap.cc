#include "tandem/heap.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <fstream>

#include "peers/native/backend.h"

namespace tandem {

namespace {

rusage Usage() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage;
}

uint64_t ResidentBytes() {
  uint64_t size_pages = 0, resident_pages = 0;
  std::ifstream("/proc/self/statm") >> size_pages >> resident_pages;
  return resident_pages * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

}  // namespace

StatusOr<std::unique_ptr<Heap>> Heap::Create(const HeapOptions& options) {
  static std::atomic<bool> created{false};
  if (created.exchange(true)) return Status::Unavailable("a peer has one heap a process");
  if (Status status = peers::StartBackend(options); !status.ok()) return status;
  return std::unique_ptr<Heap>(new Heap(ResidentBytes()));
}

void Heap::Collect() { peers::CollectNow(); }

std::map<std::string, uint64_t> Heap::Counters() const {
  const rusage usage = Usage();
  std::map<std::string, uint64_t> counters = {
      {"os.major_faults", static_cast<uint64_t>(usage.ru_majflt)},
      {"os.minor_faults", static_cast<uint64_t>(usage.ru_minflt)}};
  peers::AddCounters(counters);
  return counters;
}

HeapMemory Heap::Memory() const {
  HeapMemory memory;
  memory.outside_bytes = outside_bytes_;
  const uint64_t resident = ResidentBytes();
  memory.local_bytes = resident - std::min(resident, outside_bytes_);
  memory.process_peak_bytes = static_cast<uint64_t>(Usage().ru_maxrss) << 10;
  peers::Measure(memory);
  return memory;
}

}  // namespace tandem
