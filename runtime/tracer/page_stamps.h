// PageStamps: when mutators last used each page, in epochs; MemLiner's estimate of where pages are.
//
// The paper (OSDI'22, section 4) has 4 bits in each reference for it, which the access barrier
// writes. Here it is a byte a page, which the barrier's slow path writes, so that references stay
// plain and no access pays for it in other orders; and all references to a page know of each use.
// An epoch is as long as it takes to replace a given share of local memory; the order says when one
// begins. Any thread; a race costs a wrong guess only.
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

  PageStamps(PageStamps&& other) noexcept : memory_(std::move(other.memory_)) {}  // before its use

  // Relaxed throughout: a stamp orders nothing.

  // It is this epoch now, the first being 0. Before the first call nothing is stamped.
  void SetEpoch(uint64_t epoch) { now_.store(Bits(epoch), std::memory_order_relaxed); }
  // A mutator uses the page.
  void Use(size_t page) {
    const uint8_t now = now_.load(std::memory_order_relaxed);
    if (now != 0) At(page).store(now, std::memory_order_relaxed);
  }
  // Epochs since the page was used, modulo kEpochs; a page that never was is kEpochs old.
  uint64_t Age(size_t page) const {
    const uint8_t stamp = At(page).load(std::memory_order_relaxed);
    return stamp == 0 ? kEpochs
                      : (now_.load(std::memory_order_relaxed) + kEpochs - stamp) % kEpochs;
  }

  static constexpr uint64_t kEpochs = 255;

 private:
  explicit PageStamps(base::OsMemory memory) : memory_(std::move(memory)) {}

  // 0 is what fresh memory holds: never used.
  static uint8_t Bits(uint64_t epoch) { return static_cast<uint8_t>(1 + epoch % kEpochs); }
  std::atomic<uint8_t>& At(size_t page) const {
    return *std::launder(reinterpret_cast<std::atomic<uint8_t>*>(memory_.data() + page));
  }

  base::OsMemory memory_;
  std::atomic<uint8_t> now_{0};  // 0: nobody wants stamps
};

}  // namespace tandem::tracer
