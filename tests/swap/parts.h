// PartsTest: what pages are mapped and unmapped with, and no pager around it: a range of kPages
// heap pages, none of them mapped, and the slots. One thread.
#pragma once

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cstddef>
#include <memory>
#include <utility>

#include "runtime/base/os_memory.h"
#include "runtime/swap/page_table.h"
#include "runtime/swap/road_choice.h"
#include "runtime/swap/staging.h"
#include "runtime/swap/userfault.h"
#include "tests/swap/pager_rig.h"

namespace tandem::swap {

// Tells `roads` of costs until that road is in use, and not only tried.
inline void Prefer(bool move, RoadChoice& roads) {
  const auto come_and_leave = [&] {
    const bool now = roads.move();
    const uint64_t cost_ns = now == move ? 100 : 1000;
    for (int i = 0; i < 16; ++i) roads.NoteIn(now, cost_ns);
    roads.NoteOut(now, 16 * cost_ns, 16);
  };
  for (size_t left = 0; left < 2 * RoadChoice::kSeldom; left += 16) come_and_leave();
  while (roads.move() == move) come_and_leave();  // until the other one is tried
  while (roads.move() != move) come_and_leave();
}

class PartsTest : public RoadTest {
 protected:
  static constexpr size_t kPages = 512;

  void SetUp() override {
    RoadTest::SetUp();
    if (IsSkipped()) return;
    uffd_ = std::make_unique<Userfault>(std::move(Userfault::Open(UseMove()).value()));
    heap_ = std::move(
                base::OsMemory::Reserve(kPages * base::kPageSize, PageTable::kAlignment, "a test"))
                .value();
    madvise(heap_.data(), heap_.size(), MADV_NOHUGEPAGE);
    ASSERT_TRUE(uffd_->Register(heap_.address(), heap_.size(), uffd_->has_write_protect()).ok());
    table_ = std::move(PageTable::Create(heap_.address(), kPages).value());
    table_->Extend(kPages);
    staging_ = std::move(Staging::Create(*uffd_, UseMove()).value());
    roads_ = std::make_unique<RoadChoice>(UseMove());
  }

  static bool AllAre(const void* page, int value) {
    const auto* bytes = static_cast<const unsigned char*>(page);
    for (size_t i = 0; i < base::kPageSize; ++i) {
      if (bytes[i] != value) return false;
    }
    return true;
  }
  unsigned char* Bytes(PageIndex page) {
    return reinterpret_cast<unsigned char*>(table_->AddressOf(page));
  }

  std::unique_ptr<Userfault> uffd_;
  base::OsMemory heap_;
  std::unique_ptr<PageTable> table_;
  std::unique_ptr<Staging> staging_;
  std::unique_ptr<RoadChoice> roads_;
};

}  // namespace tandem::swap
