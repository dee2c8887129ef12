// PageStamps: when mutators last used each page, in epochs; MemLiner's estimate of where pages are.
//
// The paper (OSDI'22, section 4) has 4 bits in each reference for it, written by the access
// barrier. Here a byte a page is written by the tracer that hears of accesses, so that references
// stay plain and the barrier does nothing for it. An epoch is as long as it takes to replace a
// given share of local memory. Any thread; a race costs a wrong guess only.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <new>

#include "runtime/base/os_memory.h"

namespace tandem::tracer {

class PageStamps {
 public:
  // Committed as far as pages are stamped.
  static StatusOr<PageStamps> Create(size_t pages) {
    auto memory = base::OsMemory::Reserve(pages, 0, "page stamps");
    if (!memory.ok()) return memory.status();
    return PageStamps(std::move(*memory));
  }

  // Relaxed throughout: a stamp orders nothing.
  void Stamp(size_t page, uint64_t epoch) {
    At(page).store(Bits(epoch), std::memory_order_relaxed);
  }
  // Epochs since the page was stamped, modulo kEpochs; a page that never was is kEpochs old.
  uint64_t Age(size_t page, uint64_t epoch) const {
    const uint8_t stamp = At(page).load(std::memory_order_relaxed);
    return stamp == 0 ? kEpochs : (Bits(epoch) + kEpochs - stamp) % kEpochs;
  }

  static constexpr uint64_t kEpochs = 255;

 private:
  explicit PageStamps(base::OsMemory memory) : memory_(std::move(memory)) {}

  // 0 is what fresh memory holds: never stamped.
  static uint8_t Bits(uint64_t epoch) { return static_cast<uint8_t>(1 + epoch % kEpochs); }
  std::atomic<uint8_t>& At(size_t page) const {
    return *std::launder(reinterpret_cast<std::atomic<uint8_t>*>(memory_.data() + page));
  }

  base::OsMemory memory_;
};

}  // namespace tandem::tracer
