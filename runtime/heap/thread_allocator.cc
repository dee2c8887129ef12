#include "runtime/heap/thread_allocator.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <vector>

namespace tandem::heap {
namespace {

// Objects of up to this many pages get all their pages at once; of larger ones, each page comes
// into being when it is first touched.
constexpr size_t kEagerPages = 256;

}  // namespace

std::optional<Region> ThreadAllocator::NextRegion(bool leaf, size_t bytes, Effort effort) {
  auto region =
      Draw(small_[leaf], leaf ? BlockKind::kSmallLeaf : BlockKind::kSmall, bytes, effort, false);
  if (region) Finish(*region);
  return region;
}

std::optional<uintptr_t> ThreadAllocator::AllocateOverflow(bool leaf, size_t bytes, Effort effort) {
  Source& source = overflow_[leaf];
  if (bytes > source.region.end - source.region.start) {
    auto region = Draw(source, leaf ? BlockKind::kSmallLeaf : BlockKind::kSmall, bytes, effort,
                       effort == Effort::kCheap);
    if (!region) return std::nullopt;
    Finish(*region);
    source.region = *region;
  }
  const uintptr_t object = source.region.start;
  source.region.start += bytes;
  return object;
}

std::optional<uintptr_t> ThreadAllocator::AllocateMedium(bool leaf, size_t bytes, Effort effort) {
  const size_t page_bytes = base::RoundUp(bytes, base::kPageSize);
  auto region = Draw(medium_[leaf], leaf ? BlockKind::kMediumLeaf : BlockKind::kMedium, page_bytes,
                     effort, false);
  if (!region) return std::nullopt;
  Finish(*region);
  return region->start;
}

std::optional<uintptr_t> ThreadAllocator::AllocateLarge(bool leaf, size_t bytes) {
  if (bytes > space_.blocks.size() * kBlockBytes) return std::nullopt;
  const auto blocks = static_cast<uint32_t>((bytes + kBlockBytes - 1) / kBlockBytes);
  const auto first =
      pool_.TakeLarge(leaf ? BlockKind::kLargeLeafHead : BlockKind::kLargeHead, blocks, cycle_);
  if (!first) return std::nullopt;
  const uintptr_t start = space_.blocks.AddressOf(*first);
  const size_t pages = base::RoundUp(bytes, base::kPageSize) / base::kPageSize;
  const swap::PageIndex page = space_.PageOf(start);
  for (size_t i = 0; i < pages; ++i) {
    space_.pager.Revive(page + i);
    if (space_.pager.IsWorthless(page + i)) continue;  // fresh: reads as zero
    space_.pager.MakeLocal(page + i, port_, swap::Cause::kMutator);
    std::memset(reinterpret_cast<void*>(start + i * base::kPageSize), 0, base::kPageSize);
  }
  if (pages <= kEagerPages) {
    space_.pager.MakeRangeLocal(page, pages, port_);
  }
  space_.pager.MakeLocal(page, port_, swap::Cause::kMutator);
  if (marking_) space_.tables.MarkRange(start, start + kGranuleBytes);
  pool_.CountAllocated(size_t{blocks} * kBlockBytes);
  return start;
}

void ThreadAllocator::BeginMarking() {
  marking_ = true;
  for (const Source& source : overflow_) {
    if (source.region.start < source.region.end) {
      space_.tables.MarkRange(source.region.start, source.region.end);
    }
  }
}

void ThreadAllocator::EndMarking() {
  marking_ = false;
  Retire();
  cycle_ = pool_.cycle();
}

void ThreadAllocator::Retire() {
  for (auto* sources : {&small_, &overflow_, &medium_}) {
    for (Source& source : *sources) Drop(source);
  }
}

void ThreadAllocator::Drop(Source& source) {
  if (source.block) pool_.Release(*source.block);
  source = {};
}

void ThreadAllocator::Finish(const Region& region) {
  if (marking_) space_.tables.MarkRange(region.start, region.end);
  pool_.CountAllocated(region.end - region.start);
}

std::optional<Region> ThreadAllocator::Draw(Source& source, BlockKind kind, size_t bytes,
                                            Effort effort, bool empty_only) {
  // Blocks without room for so many bytes are given back only when the search is over: at once,
  // they might be offered again at once, for ever.
  std::vector<BlockIndex> unfit;
  std::optional<Region> region;
  while (true) {
    if (!source.block) {
      source.block = pool_.Take(kind, effort, empty_only, cycle_);
      if (!source.block) break;
      source.next_line = 0;
      source.zeroed_pages_end = 0;
    }
    region = DrawFromBlock(source, bytes, effort);
    if (region) break;
    unfit.push_back(*source.block);
    source = {};
  }
  for (BlockIndex block : unfit) pool_.Release(block);
  return region;
}

// The next run of free lines with room for `bytes`: inside one page if the object is small, of
// exactly that many whole pages if not.
std::optional<Region> ThreadAllocator::DrawFromBlock(Source& source, size_t bytes, Effort effort) {
  Block& block = space_.blocks[*source.block];
  const uintptr_t base = space_.blocks.AddressOf(*source.block);
  if (bytes > kSmallBytes) {
    const size_t want = bytes / base::kPageSize;
    size_t page = (source.next_line + kPageLines - 1) / kPageLines;
    for (size_t run = 0; page < kBlockPages; ++page) {
      run = block.PageIsFree(page) ? run + 1 : 0;
      if (run < want) continue;
      const size_t first = page + 1 - want;
      bool ready = true;
      uint32_t zeroed = 0;  // a bit a page of the block; later pages move zeroed_pages_end
      for (size_t p = first; p <= page && ready; ++p) {
        ready = PreparePage(source, p, effort);
        if (p < source.zeroed_pages_end) zeroed |= 1u << p;
      }
      if (!ready) {
        run = 0;
        continue;
      }
      const uintptr_t start = base + first * base::kPageSize;
      for (size_t p = first; p <= page; ++p) {
        if (((zeroed >> p) & 1) == 0) {
          std::memset(reinterpret_cast<void*>(base + p * base::kPageSize), 0, base::kPageSize);
        }
      }
      source.next_line = (page + 1) * kPageLines;
      UseLines(block, first * kPageLines, want * kPageLines);
      return Region{start, start + bytes};
    }
    return std::nullopt;
  }
  while (source.next_line < kBlockLines) {
    const size_t page = source.next_line / kPageLines;
    const size_t line = source.next_line % kPageLines;
    const auto lines = static_cast<uint32_t>(block.PageLines(page)) >> line;
    if (lines == 0) {
      source.next_line = (page + 1) * kPageLines;
      continue;
    }
    const auto skip = static_cast<size_t>(std::countr_zero(lines));
    const auto count = static_cast<size_t>(std::countr_one(lines >> skip));
    const size_t first = source.next_line + skip;
    source.next_line = first + count;
    if (count * kLineBytes < bytes || !PreparePage(source, page, effort)) continue;
    const uintptr_t start = base + first * kLineBytes;
    if (page >= source.zeroed_pages_end) {
      std::memset(reinterpret_cast<void*>(start), 0, count * kLineBytes);
    }
    UseLines(block, first, count);
    return Region{start, start + count * kLineBytes};
  }
  return std::nullopt;
}

void ThreadAllocator::UseLines(Block& block, size_t first, size_t count) {
  for (size_t line = first; line < first + count; ++line) {
    block.free_line_map[line / 64] &= ~(uint64_t{1} << (line % 64));
  }
  block.free_lines = static_cast<uint16_t>(block.free_lines - count);
}

// Makes the page ready to be written; false if that would cost a fetch and need not be done.
bool ThreadAllocator::PreparePage(Source& source, size_t page, Effort effort) {
  const Block& block = space_.blocks[*source.block];
  const swap::PageIndex index = uint64_t{*source.block} * kBlockPages + page;
  swap::Pager& pager = space_.pager;
  if (block.PageIsFree(page)) {
    // A free page that was in motion when it was found dead is far and would be fetched.
    if (effort == Effort::kCheap && !pager.IsLocal(index) && !pager.IsWorthless(index)) {
      return false;
    }
    pager.Revive(index);
    if (page >= source.zeroed_pages_end) {
      // Fresh pages come several at a time, but not so many as to push others out.
      size_t window = 1;
      const size_t most = std::min(kBlockPages - page, pager.budget().limit() / 32 + 1);
      while (window < most && block.PageIsFree(page + window)) ++window;
      if (const size_t fresh = pager.Populate(index, window); fresh > 0) {
        source.zeroed_pages_end = page + fresh;
        return true;
      }
    }
  } else if (effort == Effort::kCheap && !pager.IsLocal(index)) {
    return false;
  }
  pager.MakeLocal(index, port_, swap::Cause::kMutator);
  return true;
}

}  // namespace tandem::heap
