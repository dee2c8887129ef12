// BufferTable: the buffers that a fabric was told of, each with what a transport, if there is
// one, knows it by.
//
// Grows only. Add is called by one thread at a time; Find by any, at any time, in a signal handler
// too.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "tandem/status.h"

namespace tandem::rdma {

class BufferTable {
 public:
  static constexpr size_t kMaxBuffers = 1024;

  struct Buffer {
    uintptr_t start = 0;
    size_t bytes = 0;
    void* descriptor = nullptr;  // the transport's
  };

  bool full() const { return size() == kMaxBuffers; }

  // Not if it is full.
  void Add(const Buffer& buffer) {
    // Relaxed: only changed by who calls this.
    const size_t count = count_.load(std::memory_order_relaxed);
    buffers_[count] = buffer;
    // Release: who sees the count sees the entry.
    count_.store(count + 1, std::memory_order_release);
  }

  // The buffer that holds this range; null if there is none.
  const Buffer* Find(const void* start, size_t bytes) const {
    const uintptr_t address = reinterpret_cast<uintptr_t>(start);
    const size_t count = size();
    for (size_t i = 0; i < count; ++i) {
      const Buffer& buffer = buffers_[i];
      if (address >= buffer.start && bytes <= buffer.bytes &&
          address - buffer.start <= buffer.bytes - bytes) {
        return &buffer;
      }
    }
    return nullptr;
  }

  size_t size() const { return count_.load(std::memory_order_acquire); }  // pairs with Add
  const Buffer& operator[](size_t i) const { return buffers_[i]; }

 private:
  std::array<Buffer, kMaxBuffers> buffers_;
  std::atomic<size_t> count_{0};  // entries below it never change
};

}  // namespace tandem::rdma
