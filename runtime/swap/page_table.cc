#include "runtime/swap/page_table.h"

#include <sys/mman.h>

#include <cerrno>
#include <cstring>
#include <mutex>
#include <string>

#include "tandem/internal/barrier.h"

namespace tandem::internal {
namespace {
// Before the first heap exists only null can be tested: one zero byte will do.
constinit std::atomic<uint8_t> g_no_heap_yet{0};
}  // namespace
constinit std::atomic<uint8_t>* g_page_states = &g_no_heap_yet;
}  // namespace tandem::internal

namespace tandem::swap {
namespace {

constexpr unsigned kAddressBits = 47;  // user space with four-level page tables

// Reserves the map of state bytes of the whole address space, once a process: 32 GiB of address
// space, of which only what heaps use is ever backed by memory.
Status ReserveStateMap() {
  static std::mutex mutex;
  static void* map = nullptr;
  std::lock_guard lock(mutex);
  if (map != nullptr) return Status::Ok();
  const size_t bytes = size_t{1} << (kAddressBits - base::kPageShift);
  void* p = mmap(nullptr, bytes, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (p == MAP_FAILED) {
    return Status::ResourceExhausted(
        std::string("cannot reserve 32 GiB of address space for page states: ") +
        std::strerror(errno) + " (is `ulimit -v` in force?)");
  }
  madvise(p, bytes, MADV_DONTDUMP);
  map = p;
  internal::g_page_states = static_cast<std::atomic<uint8_t>*>(p);
  return Status::Ok();
}

}  // namespace

StatusOr<std::unique_ptr<PageTable>> PageTable::Create(uintptr_t base, size_t pages) {
  if (Status s = ReserveStateMap(); !s.ok()) return s;
  std::unique_ptr<PageTable> table(new PageTable);
  table->base_ = base;
  table->pages_ = pages;
  table->states_ = internal::g_page_states + (base >> base::kPageShift);
  if (mprotect(table->states_, base::RoundUp(pages, base::kPageSize), PROT_READ | PROT_WRITE) !=
      0) {
    return Status::ResourceExhausted(std::string("cannot make page states writable: ") +
                                     std::strerror(errno));
  }
  auto hashes = base::OsMemory::Reserve(pages * sizeof(uint64_t), 0, "page hashes");
  if (!hashes.ok()) return hashes.status();
  auto slots = base::OsMemory::Reserve(pages * sizeof(uint32_t), 0, "write-back slots");
  if (!slots.ok()) return slots.status();
  auto pins = base::OsMemory::Reserve(pages * sizeof(uint16_t), 0, "pin counts");
  if (!pins.ok()) return pins.status();
  auto left = base::OsMemory::Reserve(pages * sizeof(uint32_t), 0, "departure times");
  if (!left.ok()) return left.status();
  table->hash_memory_ = std::move(*hashes);
  table->slot_memory_ = std::move(*slots);
  table->pin_memory_ = std::move(*pins);
  table->left_memory_ = std::move(*left);
  table->hashes_ = reinterpret_cast<std::atomic<uint64_t>*>(table->hash_memory_.data());
  table->slots_ = reinterpret_cast<std::atomic<uint32_t>*>(table->slot_memory_.data());
  table->pins_ = reinterpret_cast<std::atomic<uint16_t>*>(table->pin_memory_.data());
  table->left_ = reinterpret_cast<std::atomic<uint32_t>*>(table->left_memory_.data());
  return table;
}

PageTable::~PageTable() {
  if (states_ == nullptr) return;
  const size_t bytes = base::RoundUp(pages_, base::kPageSize);
  madvise(states_, bytes, MADV_DONTNEED);
  mprotect(states_, bytes, PROT_READ);
}

PageIndex PageTable::NextLocal(PageIndex page, PageIndex end) const {
  constexpr uint64_t kOnes = 0x0101010101010101;
  static_assert(kLocal == 0);
  while (page < end) {
    if (page % sizeof(uint64_t) == 0) {
      // Relaxed, as a hint: whoever wants a page looks at its state again. The map is aligned.
      const uint64_t word =
          __atomic_load_n(reinterpret_cast<const uint64_t*>(states_ + page), __ATOMIC_RELAXED);
      const uint64_t residencies = word & (kOnes * kResidencyMask);
      // Nothing is borrowed from a byte below unless that is zero, so no zero means no local page.
      if (((residencies - kOnes) & ~residencies & (kOnes << 7)) == 0) {
        page += sizeof(uint64_t);
        continue;
      }
    }
    if (Residency(states_[page].load(std::memory_order_relaxed)) == kLocal) return page;
    ++page;
  }
  return end;
}

void PageTable::Extend(PageIndex end) {
  const PageIndex begin = used_.load(std::memory_order_relaxed);  // only this thread writes it
  for (PageIndex p = begin; p < end; ++p) {
    states_[p].store(kFar | kFresh, std::memory_order_relaxed);  // published by used_ below
  }
  if (end > begin) used_.store(end, std::memory_order_release);
}

}  // namespace tandem::swap
