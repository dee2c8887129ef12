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

// Whether `address` lies in such a file that this process has mapped, and a process that uses it is
// no more: the file's own, or, if that is this process, that of any other file that it has mapped.
// Async-signal-safe.
bool IsSharedWithTheDead(const void* address);

}  // namespace tandem::rdma
