// FifoOrder: breadth first. The oldest references are traced first.
#pragma once

#include <algorithm>
#include <deque>

#include "runtime/tracer/order.h"

namespace tandem::tracer {

class FifoOrder final : public Order {
 public:
  void Push(std::span<const uintptr_t> references) override {
    queue_.insert(queue_.end(), references.begin(), references.end());
  }

  size_t Pop(std::span<uintptr_t> out) override {
    const size_t n = std::min(out.size(), queue_.size());
    std::copy_n(queue_.begin(), n, out.begin());
    queue_.erase(queue_.begin(), queue_.begin() + static_cast<ptrdiff_t>(n));
    return n;
  }

  size_t size() const override { return queue_.size(); }

 private:
  std::deque<uintptr_t> queue_;
};

}  // namespace tandem::tracer
