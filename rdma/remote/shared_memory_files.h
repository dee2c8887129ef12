// The files by which libfabric's provider shm shares memory: one an endpoint, named
// PID:USER:NUMBER. A process that is killed leaves its own behind, 16 MiB each.
//
// Any thread.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace tandem::rdma {

inline constexpr const char* kSharedMemoryFolder = "/dev/shm";

// The file of an endpoint whose address is `address` (fi_shm://PID:USER:NUMBER, or without the
// scheme); empty if that is no such address.
std::string SharedMemoryName(std::string_view address);

// Removes those of this user whose process is no more; returns how many. Where processes cannot
// see each other (containers that share the folder, but not the processes) it must not be called.
size_t RemoveStaleSharedMemory(const std::string& folder = kSharedMemoryFolder);

// What is known of the processes that share the memory at `address` through such a file with this
// one: all live, as far as can be told, or it is in no such file; the file's own process is no
// more; or the file is this process' own, and that of some other file that it has mapped is no
// more. Async-signal-safe.
enum class Sharers { kAlive, kOwnerDead, kSomebodyDead };
Sharers SharersOf(const void* address);

}  // namespace tandem::rdma
