// The registry of orders: a new one is a file and a line in kOrders.
#include <algorithm>

#include "runtime/tracer/fifo_order.h"
#include "runtime/tracer/lifo_order.h"
#include "runtime/tracer/order.h"

namespace tandem::tracer {
namespace {

struct Entry {
  const char* name;
  const char* summary;
  std::unique_ptr<Order> (*make)();
};

template <typename T>
std::unique_ptr<Order> Make() {
  return std::make_unique<T>();
}

constexpr Entry kOrders[] = {
    {"lifo", "depth first, a stack: what most collectors do", Make<LifoOrder>},
    {"fifo", "breadth first, a queue", Make<FifoOrder>},
};

}  // namespace

StatusOr<std::unique_ptr<Order>> MakeOrder(std::string_view name) {
  std::string valid;
  for (const Entry& entry : kOrders) {
    if (name == entry.name) return entry.make();
    valid += valid.empty() ? "" : ", ";
    valid += entry.name;
  }
  return Status::InvalidArgument("unknown order '" + std::string(name) + "': valid are " + valid);
}

std::vector<OrderDescription> ListOrders() {
  std::vector<OrderDescription> list;
  for (const Entry& entry : kOrders) list.push_back({entry.name, entry.summary});
  return list;
}

}  // namespace tandem::tracer
