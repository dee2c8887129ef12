// Order: in which order a tracer works off grey references. A strategy; the research is here.
//
// Each tracer owns one; no method is called by two threads. References are addresses of objects;
// the same one may be pushed more than once, and need not be unmarked any more when it is popped:
// the tracer tests the mark. An order keeps every reference that it was given until it pops it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/status.h"

namespace tandem::tracer {

class Order {
 public:
  virtual ~Order() = default;

  // New grey references, in the order in which the object or root set has them.
  virtual void Push(std::span<const uintptr_t> references) = 0;

  // Takes out up to out.size() references that should be traced next; 0 only when empty.
  virtual size_t Pop(std::span<uintptr_t> out) = 0;

  virtual size_t size() const = 0;
};

// Orders by name: orders.cc has the table. Errors list what is valid.
StatusOr<std::unique_ptr<Order>> MakeOrder(std::string_view name);

struct OrderDescription {
  std::string name;
  std::string summary;
};
std::vector<OrderDescription> ListOrders();

}  // namespace tandem::tracer
