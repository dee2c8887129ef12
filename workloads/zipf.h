// Zipf: random ranks of which rank r is drawn in proportion to 1 / (r + 1)^exponent.
//
// Exact: it looks draws up in a table of the cumulative weights, 8 bytes a rank. Immutable once
// made, any thread.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "workloads/random.h"

namespace tandem::workloads {

class Zipf {
 public:
  // Ranks below `count`, which must be above 0.
  Zipf(uint64_t count, double exponent) : cumulative_(count) {
    double sum = 0;
    for (uint64_t rank = 0; rank < count; ++rank) {
      sum += std::pow(static_cast<double>(rank + 1), -exponent);
      cumulative_[rank] = sum;
    }
  }

  uint64_t Draw(Random& random) const {
    const double unit = static_cast<double>(random.Next() >> 11) * 0x1p-53;  // below 1
    const auto found =
        std::upper_bound(cumulative_.begin(), cumulative_.end(), unit * cumulative_.back());
    const auto rank = static_cast<uint64_t>(found - cumulative_.begin());
    return std::min<uint64_t>(rank, cumulative_.size() - 1);  // the product may be rounded up
  }

  // Of one draw.
  double Probability(uint64_t rank) const {
    const double below = rank == 0 ? 0 : cumulative_[rank - 1];
    return (cumulative_[rank] - below) / cumulative_.back();
  }

 private:
  std::vector<double> cumulative_;
};

}  // namespace tandem::workloads
