// PaperSurroundings: a heap of which only what orders ask about exists, for their tests.
//
// Far pages that are fetched arrive at the next Land (or never, if the test says so).
#pragma once

#include <cstdint>
#include <deque>
#include <set>
#include <vector>

#include "runtime/heap/layout.h"
#include "runtime/tracer/surroundings.h"

namespace tandem::tracer::testing {

class PaperSurroundings : public Surroundings {
 public:
  static constexpr uintptr_t kBase = uintptr_t{1} << 32;
  static constexpr size_t kPages = 4096;

  // A reference to the n-th granule of a page.
  static uintptr_t At(swap::PageIndex page, size_t granule = 0) {
    return kBase + page * base::kPageSize + granule * heap::kGranuleBytes + internal::kHeaderBytes;
  }

  uintptr_t base() const override { return kBase; }
  size_t pages() const override { return kPages; }
  Whereabouts Where(swap::PageIndex page) override {
    if (on_their_way.contains(page)) return Whereabouts::kOnItsWay;
    return far.contains(page) ? Whereabouts::kFar : Whereabouts::kLocal;
  }
  bool IsMarked(uintptr_t reference) override { return marked.contains(reference); }
  size_t Unmarked(swap::PageIndex page) override {
    size_t n = 0;
    for (const uintptr_t object : objects) n += PageOf(object) == page && !marked.contains(object);
    return n;
  }
  double FreeShare() override { return free_share; }
  double Turnover() override { return turnover; }
  PageStamps& stamps() override { return stamps_; }
  bool LookAheadPays() override { return look_ahead_pays; }
  size_t TakeAccesses(std::span<uintptr_t> out) override {
    size_t n = 0;
    for (; n < out.size() && !accesses.empty(); accesses.pop_front()) out[n++] = accesses.front();
    return n;
  }
  bool OthersTrace() override { return others_trace; }
  void PassOn(std::span<const uintptr_t> references) override {
    passed_on.insert(passed_on.end(), references.begin(), references.end());
  }
  bool Shade(uintptr_t reference) override { return marked.insert(reference).second; }
  size_t Fetch(std::span<const swap::PageIndex> pages, swap::Purpose purpose) override {
    size_t n = 0;
    for (; n < pages.size() && on_their_way.size() < frames; ++n) {
      if (!far.erase(pages[n])) continue;
      on_their_way.insert(pages[n]);
      fetched.emplace_back(pages[n], purpose);
    }
    return n;
  }
  size_t Land() override {
    const size_t n = on_their_way.size();
    if (stuck) return 0;
    if (fail_reads) far.insert(on_their_way.begin(), on_their_way.end());
    on_their_way.clear();
    return fail_reads ? 0 : n;
  }

  std::set<swap::PageIndex> far, on_their_way;
  std::set<uintptr_t> marked;
  std::deque<uintptr_t> accesses;
  std::vector<std::pair<swap::PageIndex, swap::Purpose>> fetched;
  std::vector<uintptr_t> passed_on;
  bool others_trace = false;
  double free_share = 1;
  double turnover = 0;
  bool look_ahead_pays = true;
  bool fail_reads = false;
  bool stuck = false;           // nothing arrives
  std::set<uintptr_t> objects;  // that Unmarked shall know of
  size_t frames = 1000;

 private:
  PageStamps stamps_ = std::move(PageStamps::Create(kPages).value());
};

}  // namespace tandem::tracer::testing
