// LifoOrder: depth first. The newest references are traced first.
#pragma once

#include <algorithm>
#include <vector>

#include "runtime/tracer/order.h"

namespace tandem::tracer {

class LifoOrder final : public Order {
 public:
  explicit LifoOrder(OrderMetrics& metrics) : metrics_(metrics) {}

  void Push(std::span<const uintptr_t> references, Tag /*parent*/) override {
    // Reversed, so that an object's first reference is popped first.
    for (auto it = references.rbegin(); it != references.rend(); ++it) stack_.emplace_back(*it);
  }

  size_t Pop(std::span<Grey> out) override {
    const size_t n = std::min(out.size(), stack_.size());
    std::copy_n(stack_.rbegin(), n, out.begin());
    stack_.resize(stack_.size() - n);
    metrics_.from_queue.Add(n);
    return n;
  }

  size_t size() const override { return stack_.size(); }

 private:
  OrderMetrics& metrics_;
  std::vector<Grey> stack_;
};

}  // namespace tandem::tracer
