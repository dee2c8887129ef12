// FifoOrder: breadth first. The oldest references are traced first.
#pragma once

#include <algorithm>
#include <deque>

#include "runtime/tracer/order.h"

namespace tandem::tracer {

class FifoOrder final : public Order {
 public:
  explicit FifoOrder(OrderMetrics& metrics) : metrics_(metrics) {}

  void Push(std::span<const uintptr_t> references, Tag /*parent*/) override {
    for (const uintptr_t reference : references) queue_.emplace_back(reference);
  }

  size_t Pop(std::span<Grey> out) override {
    const size_t n = std::min(out.size(), queue_.size());
    std::copy_n(queue_.begin(), n, out.begin());
    queue_.erase(queue_.begin(), queue_.begin() + static_cast<ptrdiff_t>(n));
    metrics_.from_queue.Add(n);
    return n;
  }

  size_t size() const override { return queue_.size(); }

 private:
  OrderMetrics& metrics_;
  std::deque<Grey> queue_;
};

}  // namespace tandem::tracer
