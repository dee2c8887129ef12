// HeapRig: a space and a block pool over a pager of their own, with one thread bound to it.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <utility>

#include "runtime/heap/block_pool.h"
#include "runtime/heap/space.h"
#include "runtime/heap/sweeper.h"
#include "runtime/heap/thread_allocator.h"
#include "tests/base/random.h"
#include "tests/swap/pager_rig.h"

namespace tandem::heap {

using tandem::testing::Random;
using tandem::testing::Rounds;
using tandem::testing::TestSeed;

struct HeapRigOptions {
  size_t blocks = 64;
  size_t local_pages = 4096;
  const char* fabric = "emulated:none";
};

class HeapRig {
 public:
  explicit HeapRig(HeapRigOptions options = {})
      : fabric_(std::move(rdma::Fabric::Open(options.fabric).value())) {
    swap::PagerOptions pager_options;
    pager_options.heap_bytes = options.blocks * kBlockBytes;
    pager_options.local_pages = options.local_pages;
    pager_ = std::move(swap::Pager::Create(pager_options, *fabric_, registry_).value());
    port_ = std::move(pager_->OpenPort().value());
    pager_->BindThread(*port_);
    space_ = std::make_unique<Space>(std::move(Space::Create(*pager_).value()));
    pool_ = std::make_unique<BlockPool>(*space_);
  }
  ~HeapRig() { pager_->UnbindThread(); }
  HeapRig(const HeapRig&) = delete;
  HeapRig& operator=(const HeapRig&) = delete;

  swap::Pager& pager() { return *pager_; }
  swap::Port& port() { return *port_; }
  Space& space() { return *space_; }
  BlockPool& pool() { return *pool_; }
  SideTables& tables() { return space_->tables; }
  Block& block(BlockIndex b) { return space_->blocks[b]; }

  uint64_t ReadBytes() const {
    uint64_t sum = 0;
    for (const uint64_t bytes : fabric_->Stats().read_bytes) sum += bytes;
    return sum;
  }
  uint64_t WrittenBytes() const {
    uint64_t sum = 0;
    for (const uint64_t bytes : fabric_->Stats().written_bytes) sum += bytes;
    return sum;
  }

  bool IsLocal(uintptr_t address) { return pager_->IsLocal(space_->PageOf(address)); }

  // Makes the pages of [start, end) far by bringing others in, which stay zero: the blocks from
  // `others` on, which the pool has extended the heap to but nobody uses.
  void Evict(uintptr_t start, uintptr_t end, BlockIndex others) {
    const swap::PageIndex first_other = uint64_t{others} * kBlockPages;
    const swap::PageIndex used = pager_->table().used();
    ASSERT_GT(used, first_other + pager_->budget().limit());
    swap::PageIndex other = first_other;
    for (auto page = space_->PageOf(start); page <= space_->PageOf(end - 1); ++page) {
      while (swap::Residency(pager_->table().state(page).load()) != swap::kFar) {
        pager_->MakeLocal(other, *port_, swap::Cause::kMutator);
        if (++other == used) other = first_other;
      }
    }
  }

 private:
  base::Registry registry_;
  std::unique_ptr<rdma::Fabric> fabric_;
  std::unique_ptr<swap::Pager> pager_;
  std::unique_ptr<swap::Port> port_;
  std::unique_ptr<Space> space_;
  std::unique_ptr<BlockPool> pool_;
};

inline volatile uint64_t* WordsAt(uintptr_t address) {
  return reinterpret_cast<volatile uint64_t*>(address);
}
inline void FillWords(uintptr_t start, size_t bytes, uint64_t value) {
  for (size_t i = 0; i < bytes / 8; ++i) WordsAt(start)[i] = value;
}
inline bool AllWordsAre(uintptr_t start, size_t bytes, uint64_t value) {
  for (size_t i = 0; i < bytes / 8; ++i) {
    if (WordsAt(start)[i] != value) return false;
  }
  return true;
}

}  // namespace tandem::heap
