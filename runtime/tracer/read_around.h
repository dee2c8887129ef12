// ReadAround: far pages that are read although no grey is known to be on them.
//
// Where the graph is narrow, a list for instance, few pages are known to be needed at a time, and
// each would be waited for by itself. What was allocated together mostly hangs together, so pages
// near one that is needed are read with it, as far as they have objects that are not marked: those
// that are alive must be read before the cycle ends in any case. What is wasted is a page whose
// objects are all dead, or one that leaves again before the tracer gets there. How far it reaches
// follows how many of the last pages were of use. Pure policy; one tracer's.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "runtime/tracer/order.h"
#include "runtime/tracer/surroundings.h"

namespace tandem::tracer {

class ReadAround {
 public:
  // Reaches at most `most` pages to either side; 0: not at all.
  ReadAround(size_t most, Surroundings& surroundings, OrderMetrics& metrics)
      : most_(most),
        reach_(std::min(kFirstReach, most)),
        surroundings_(surroundings),
        metrics_(metrics) {}

  // Asks for pages around one that is needed, at most `room` of them. Nobody waits for them.
  void Read(swap::PageIndex page, size_t room) {
    std::array<swap::PageIndex, 64> near;
    const size_t most = std::min({reach_, room, near.size()});
    size_t n = 0;
    for (swap::PageIndex distance = 1; distance <= reach_; ++distance) {
      for (const swap::PageIndex at : {page + distance, page - distance}) {
        if (n < most && at < surroundings_.pages() &&
            surroundings_.Where(at) == Whereabouts::kFar && surroundings_.Unmarked(at) > 0) {
          near[n++] = at;
        }
      }
    }
    if (n == 0) return;
    const size_t posted = surroundings_.Fetch({near.data(), n}, swap::Purpose::kTrace);
    for (size_t i = 0; i < posted; ++i) {
      pending_.push_back({near[i], surroundings_.Unmarked(near[i])});
    }
  }

  // Finds out which were of use: something on them has been marked since.
  void Judge() {
    std::erase_if(pending_, [&](const Pending& one) {
      const Whereabouts where = surroundings_.Where(one.page);
      if (where == Whereabouts::kOnItsWay) return false;
      const bool used = surroundings_.Unmarked(one.page) < one.unmarked;
      if (!used && where == Whereabouts::kLocal) return false;
      ++(used ? used_ : unused_);
      (used ? metrics_.around_used : metrics_.around_unused).Add();
      return true;
    });
    if (used_ + unused_ < kJudged) return;
    if (used_ > 3 * unused_) {
      reach_ = std::min(2 * reach_, most_);
    } else if (used_ < 2 * unused_) {
      reach_ = std::max<size_t>(reach_ / 2, std::min<size_t>(most_, 1));
    }
    used_ = unused_ = 0;
  }

  // Pages of which that is not known yet.
  size_t pending() const { return pending_.size(); }
  size_t reach() const { return reach_; }

 private:
  static constexpr size_t kFirstReach = 4;
  static constexpr uint32_t kJudged = 16;

  struct Pending {
    swap::PageIndex page;
    size_t unmarked;  // objects on it when it was asked for
  };

  const size_t most_;
  size_t reach_;
  Surroundings& surroundings_;
  OrderMetrics& metrics_;
  std::vector<Pending> pending_;
  uint32_t used_ = 0;  // since the reach was last thought over
  uint32_t unused_ = 0;
};

}  // namespace tandem::tracer
