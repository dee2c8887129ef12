#include "runtime/tracer/order.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <set>
#include <vector>

namespace tandem::tracer {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<uintptr_t> PopAll(Order& order, size_t at_once) {
  std::vector<uintptr_t> all;
  std::vector<uintptr_t> out(at_once);
  while (const size_t n = order.Pop(out)) {
    all.insert(all.end(), out.begin(), out.begin() + static_cast<ptrdiff_t>(n));
  }
  return all;
}

TEST(LifoOrder, PopsTheNewestFirstAndAnObjectsReferencesInTheirOrder) {
  auto order = std::move(MakeOrder("lifo").value());
  const uintptr_t first[] = {1, 2, 3};
  const uintptr_t second[] = {4, 5};
  order->Push(first);
  order->Push(second);
  EXPECT_THAT(PopAll(*order, 2), ElementsAre(4, 5, 1, 2, 3));
}

TEST(FifoOrder, PopsTheOldestFirst) {
  auto order = std::move(MakeOrder("fifo").value());
  const uintptr_t first[] = {1, 2, 3};
  const uintptr_t second[] = {4, 5};
  order->Push(first);
  order->Push(second);
  EXPECT_THAT(PopAll(*order, 2), ElementsAre(1, 2, 3, 4, 5));
}

TEST(Orders, AreRefusedByAnUnknownNameWithAListOfTheKnown) {
  for (const char* name : {"", "LIFO", "lifo ", "random"}) {
    auto order = MakeOrder(name);
    ASSERT_FALSE(order.ok());
    EXPECT_EQ(order.status().code(), StatusCode::kInvalidArgument);
    for (const auto& known : ListOrders()) {
      EXPECT_THAT(order.status().message(), HasSubstr(known.name));
    }
  }
}

class AnyOrder : public ::testing::TestWithParam<std::string> {};

// An order that loses a reference loses objects; one that makes one up crashes the tracer.
TEST_P(AnyOrder, KeepsEveryReferenceUntilItIsPopped) {
  const char* given = std::getenv("TANDEM_TEST_SEED");
  const uint64_t seed =
      given != nullptr ? std::strtoull(given, nullptr, 0) : std::random_device{}();
  std::printf("TANDEM_TEST_SEED=%llu\n", static_cast<unsigned long long>(seed));
  std::mt19937_64 random(seed);
  auto order = std::move(MakeOrder(GetParam()).value());
  std::multiset<uintptr_t> inside;
  for (int step = 0; step < 20'000; ++step) {
    if (random() % 3 != 0) {
      std::vector<uintptr_t> batch(random() % 20);
      for (auto& r : batch) r = 16 * (random() % 5000) + 8;
      order->Push(batch);
      inside.insert(batch.begin(), batch.end());
    } else {
      std::vector<uintptr_t> out(1 + random() % 40);
      const size_t n = order->Pop(out);
      ASSERT_LE(n, out.size());
      ASSERT_EQ(n == 0, inside.empty());
      for (size_t i = 0; i < n; ++i) {
        const auto it = inside.find(out[i]);
        ASSERT_NE(it, inside.end());
        inside.erase(it);
      }
    }
    ASSERT_EQ(order->size(), inside.size());
  }
  auto rest = PopAll(*order, 8);
  std::sort(rest.begin(), rest.end());
  EXPECT_TRUE(std::equal(rest.begin(), rest.end(), inside.begin(), inside.end()));
  EXPECT_EQ(order->size(), 0u);
}

std::vector<std::string> AllOrders() {
  std::vector<std::string> names;
  for (const auto& order : ListOrders()) names.push_back(order.name);
  return names;
}

INSTANTIATE_TEST_SUITE_P(Orders, AnyOrder, ::testing::ValuesIn(AllOrders()),
                         [](const auto& p) { return p.param; });

}  // namespace
}  // namespace tandem::tracer
