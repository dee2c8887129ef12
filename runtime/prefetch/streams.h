// Streams: ahead along several streams at once, with holes in them.
//
// What stream buffers do for cache lines (Jouppi, "Improving Direct-Mapped Cache Performance by the
// Addition of a Small Fully-Associative Cache and Prefetch Buffers", ISCA 1990; the test before one
// is opened: Palacharla and Kessler, "Evaluating Stream Buffers as a Secondary Cache Replacement",
// ISCA 1994), here for a thread that reads samples while it writes sums, merges sorted runs, or
// walks columns side by side. Where `stride` and `leap` see one mixed sequence and find nothing in
// it, an access here is first looked for in the streams that are open:
//
//     part of a stream    it is ahead of the stream's last page by a multiple of its stride, and
//                         no further than what has been named, or kReach. The stream goes on from
//                         there: twice as far ahead as before, or half as far if the access has
//                         left pages out, of which some will have been named in vain.
//     of none             it is remembered. If two accesses remembered lie before it at equal
//                         distances, a stream of that stride is open; if they merely lie close by
//                         in one direction, one of stride 1 or -1, since pages that are local
//                         already are never heard of. The stream longest without an access closes.
#pragma once

#include <algorithm>
#include <array>
#include <cstdlib>

#include "runtime/prefetch/prefetcher.h"

namespace tandem::prefetch {

class Streams final : public Prefetcher {
 public:
  static constexpr size_t kStreams = 16;
  static constexpr Page kMaxDegree = 16;
  static constexpr Page kReach = 4;      // strides from one access to the next
  static constexpr Page kMaxStride = 8;  // further apart, two accesses open no stream

  size_t OnAccess(const Access& access, std::span<Page, kMaxPages> out) override {
    ++now_;
    Stream* stream = Find(access.page);
    if (stream == nullptr) {
      const Page stride = FindStride(access.page);
      Remember(access.page);
      if (stride == 0) return 0;
      stream = Open(access.page, stride);
    } else {
      const Page steps = StepsTo(*stream, access.page);
      // What was named is nearer now. A miss tells that it did not come, or did not stay.
      stream->named = access.hit ? std::max<Page>(stream->named - steps, 0) : 0;
      stream->degree = steps == 1 ? std::min(stream->degree * 2, kMaxDegree)
                                  : std::max<Page>(stream->degree / 2, 1);
    }
    stream->last = access.page;
    stream->used = now_;
    return Name(*stream, out);
  }

 private:
  struct Stream {
    Page last = 0;
    Page stride = 0;  // 0: not open
    Page degree = 2;
    Page named = 0;     // how many strides ahead of `last` have been named
    uint64_t used = 0;  // when it was last part of an access
  };
  static constexpr size_t kRemembered = 16;
  static constexpr Page kNowhere = -2 * kMaxStride;  // near no page

  // How many strides the page is ahead; 0 if it is no part of the stream.
  static Page StepsTo(const Stream& stream, Page page) {
    const Page stride = std::abs(stream.stride);
    const Page distance = stream.stride > 0 ? page - stream.last : stream.last - page;
    // First what costs no division: the page is asked about for each stream.
    if (distance <= 0 || distance > stride * std::max(stream.named, kReach)) return 0;
    return distance % stride == 0 ? distance / stride : 0;
  }

  // The open stream that the page is the nearest part of, or null.
  Stream* Find(Page page) {
    Stream* found = nullptr;
    Page fewest = 0;
    for (Stream& stream : streams_) {
      if (stream.stride == 0) continue;
      const Page steps = StepsTo(stream, page);
      if (steps == 0 || (found != nullptr && steps >= fewest)) continue;
      found = &stream;
      fewest = steps;
    }
    return found;
  }

  // The stride of a stream that ends here, or 0. Newer accesses count first.
  Page FindStride(Page page) const {
    Page near = 0;
    for (size_t i = 0; i < kRemembered; ++i) {
      const Page distance = page - Remembered(i);
      if (distance == 0 || std::abs(distance) > kMaxStride) continue;
      for (size_t j = i + 1; j < kRemembered; ++j) {
        const Page before = Remembered(i) - Remembered(j);
        if (before == distance) return distance;
        const bool one_way = (before > 0) == (distance > 0) && before != 0;
        if (near == 0 && one_way && std::abs(before) <= kReach && std::abs(distance) <= kReach) {
          near = distance > 0 ? 1 : -1;
        }
      }
    }
    return near;
  }

  Page Remembered(size_t age) const {
    return remembered_[(next_ + kRemembered - 1 - age) % kRemembered];
  }
  void Remember(Page page) {
    remembered_[next_] = page;
    next_ = (next_ + 1) % kRemembered;
  }

  Stream* Open(Page page, Page stride) {
    Stream& oldest =
        *std::min_element(streams_.begin(), streams_.end(),
                          [](const Stream& a, const Stream& b) { return a.used < b.used; });
    oldest = {.last = page, .stride = stride};
    return &oldest;
  }

  size_t Name(Stream& stream, std::span<Page, kMaxPages> out) {
    size_t n = 0;
    while (stream.named < stream.degree) {
      const Page page = stream.last + stream.stride * ++stream.named;
      if (page >= 0) out[n++] = page;
    }
    return n;
  }

  std::array<Stream, kStreams> streams_{};
  std::array<Page, kRemembered> remembered_ = [] {
    std::array<Page, kRemembered> none;
    none.fill(kNowhere);
    return none;
  }();
  size_t next_ = 0;  // where in remembered_ the next access goes
  uint64_t now_ = 0;
};

}  // namespace tandem::prefetch
