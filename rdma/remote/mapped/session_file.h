// SessionFile: what a memory server lends to one heap of the same machine: a file in memory that
// both map.
//
//     | header: is it served? | slab | slab | ... it grows, and never shrinks
//
// It has no name in any folder, so that nothing is left behind by who is killed: the heap opens it
// through the server's /proc/PID/fd, which takes a process of the same user that can see the
// server's. It goes when the last process goes that has it; what it holds can be taken away before.
//
// Grow and Map: one thread at a time. The others: any.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "rdma/remote/descriptor.h"
#include "runtime/base/os_memory.h"
#include "tandem/status.h"

namespace tandem::rdma {

class SessionFile {
 public:
  // The server's end.
  static StatusOr<std::unique_ptr<SessionFile>> Make();
  // The heap's, of a file by its name.
  static StatusOr<std::unique_ptr<SessionFile>> Open(const std::string& name);
  SessionFile(const SessionFile&) = delete;
  SessionFile& operator=(const SessionFile&) = delete;

  // PID:DESCRIPTOR:NUMBER, the last of which, drawn at random, stands in the header.
  std::string name() const;

  // Makes room for so many bytes more, whole pages, which read as zero; returns where they begin.
  StatusOr<uint64_t> Grow(uint64_t bytes);

  // Maps a part, for as long as this exists.
  StatusOr<std::byte*> Map(uint64_t offset, uint64_t bytes);

  // False once the server has taken the memory back: what was read before it was true is good.
  bool serving() const {
    // After what was read: the server says so first, and takes the memory then.
#ifndef __SANITIZE_THREAD__  // which knows no fences, and sees no other process
    std::atomic_thread_fence(std::memory_order_acquire);
#endif
    return header_->serving.load(std::memory_order_relaxed);
  }

  // Whether the server's process is still there. The heap's end.
  bool OwnerLives() const;

  // Ends it at both ends, and gives all memory back to the system, whoever has it mapped: slabs
  // read as zeroes from now on.
  void End();

 private:
  struct Header {
    uint64_t number;
    // Sequentially consistent when it is changed: before the memory is taken. See serving().
    std::atomic<bool> serving;
  };

  SessionFile() = default;
  Status MapHeader();

  int owner_ = 0;          // a process
  int owners_number_ = 0;  // of the descriptor there
  uint64_t number_ = 0;
  Descriptor file_;
  Descriptor owner_watch_;  // readable when the owner is gone; the heap's end
  uint64_t bytes_ = 0;      // the server's end
  Header* header_ = nullptr;
  std::vector<base::OsMemory> mappings_;  // the first is the header's
};

}  // namespace tandem::rdma
