#include "runtime/tracer/order.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <set>
#include <vector>

#include "runtime/tracer/read_around.h"
#include "tests/tracer/paper_surroundings.h"

namespace tandem::tracer {
namespace {

using swap::Purpose;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;
using testing::PaperSurroundings;
using ::testing::UnorderedElementsAre;

uintptr_t At(swap::PageIndex page, size_t granule = 0) {
  return PaperSurroundings::At(page, granule);
}

void Push(Order& order, const std::vector<uintptr_t>& references, Tag parent) {
  order.Push(references, parent);
}

class OrderTest : public ::testing::Test {
 protected:
  std::unique_ptr<Order> Make(const std::string& spec) {
    return std::move(MakeOrder(spec, around_, metrics_).value());
  }
  // What a tracer would do with what is popped, but for pushing references of its own; returns
  // the references in the order in which they were traced.
  std::vector<uintptr_t> TraceAll(Order& order, size_t at_once = 2) {
    std::vector<uintptr_t> traced;
    std::vector<Grey> out(at_once);
    while (order.size() > 0) {
      const size_t n = order.Pop(out);
      EXPECT_LE(n, out.size());
      for (size_t i = 0; i < n; ++i) Trace(order, out[i], traced);
    }
    EXPECT_EQ(order.Pop(out), 0u);
    return traced;
  }
  void Trace(Order& order, Grey grey, std::vector<uintptr_t>& traced) {
    const uintptr_t reference = grey.reference();
    if (!grey.marked() && !around_.marked.insert(reference).second) return;
    if (around_.Where(around_.PageOf(reference)) != Whereabouts::kLocal) {
      if (order.Defer(Grey(reference, static_cast<Tag>(grey.tag() | Grey::kMarked)))) return;
      ++waited_;
    }
    traced.push_back(reference);
  }

  PaperSurroundings around_;
  base::Registry registry_;
  OrderMetrics metrics_{registry_};
  size_t waited_ = 0;  // pages that the tracer had to wait for
};

// --- lifo, fifo ---

TEST_F(OrderTest, LifoPopsTheNewestFirstAndAnObjectsReferencesInTheirOrder) {
  auto order = Make("lifo");
  Push(*order, {At(1), At(2), At(3)}, 0);
  Push(*order, {At(4), At(5)}, 0);
  EXPECT_THAT(TraceAll(*order), ElementsAre(At(4), At(5), At(1), At(2), At(3)));
  EXPECT_EQ(metrics_.from_queue.Value(), 5u);
}

TEST_F(OrderTest, FifoPopsTheOldestFirst) {
  auto order = Make("fifo");
  Push(*order, {At(1), At(2), At(3)}, 0);
  Push(*order, {At(4), At(5)}, 0);
  EXPECT_THAT(TraceAll(*order), ElementsAre(At(1), At(2), At(3), At(4), At(5)));
  EXPECT_EQ(metrics_.from_queue.Value(), 5u);
}

TEST_F(OrderTest, UnalignedOrdersWaitForFarPagesInTheirTurn) {
  for (const char* name : {"lifo", "fifo"}) {
    around_.marked.clear();
    around_.far = {2};
    auto order = Make(name);
    Push(*order, {At(1), At(2)}, 0);
    waited_ = 0;
    EXPECT_EQ(TraceAll(*order).size(), 2u);
    EXPECT_EQ(waited_, 1u) << name;
    EXPECT_EQ(order->access_log(), AccessLog::kNone);
  }
}

// --- memliner ---

TEST_F(OrderTest, MemlinerPutsFarReferencesBackUntilItHasDoneSoOftenEnough) {
  around_.far = {1};
  auto order = Make("memliner");
  Push(*order, {At(1), At(2), At(3)}, 0);
  EXPECT_THAT(TraceAll(*order, 1), ElementsAre(At(2), At(3), At(1)));
  EXPECT_EQ(metrics_.deferrals.Value(), 4u);
  EXPECT_EQ(waited_, 1u);
}

TEST_F(OrderTest, MemlinerPutsNothingBackWhenTheHeapIsNearlyFull) {
  around_.far = {1};
  around_.free_share = 0.1;
  auto order = Make("memliner");
  Push(*order, {At(1), At(2)}, 0);
  EXPECT_THAT(TraceAll(*order, 1), ElementsAre(At(1), At(2)));
  EXPECT_EQ(metrics_.deferrals.Value(), 0u);
}

TEST_F(OrderTest, MemlinerTakesAFarReferenceThatHasComeMeanwhile) {
  around_.far = {1};
  auto order = Make("memliner");
  Push(*order, {At(1), At(2)}, 0);
  std::array<Grey, 1> out;
  ASSERT_EQ(order->Pop(out), 1u);
  EXPECT_EQ(out[0].reference(), At(2));
  around_.far.clear();
  ASSERT_EQ(order->Pop(out), 1u);
  EXPECT_EQ(out[0].reference(), At(1));
}

TEST_F(OrderTest, MemlinerExploresWhatMutatorsUsedFirstAndSoDeep) {
  auto order = Make("memliner,max_depth=2");
  Push(*order, {At(9)}, 0);
  around_.accesses = {At(1)};
  std::array<Grey, 1> out;
  // A chain that hangs on what was used: two hops are explored, the third stands in the queue.
  for (const uintptr_t expected : {At(1), At(2), At(3)}) {
    ASSERT_EQ(order->Pop(out), 1u);
    EXPECT_EQ(out[0].reference(), expected);
    Push(*order, {expected + base::kPageSize}, out[0].tag());
  }
  EXPECT_THAT(TraceAll(*order), ElementsAre(At(9), At(4)));
}

TEST_F(OrderTest, MemlinerExploresFarObjectsAtOnce) {
  around_.far = {1, 2};
  auto order = Make("memliner");
  around_.accesses = {At(1)};
  std::array<Grey, 4> out;
  ASSERT_EQ(order->Pop(out), 1u);
  Push(*order, {At(2)}, out[0].tag());
  ASSERT_EQ(order->Pop(out), 1u);
  EXPECT_EQ(out[0].reference(), At(2));
  EXPECT_EQ(metrics_.deferrals.Value(), 0u);
}

TEST_F(OrderTest, MemlinerDoesNotExploreWhatIsMarked) {
  auto order = Make("memliner");
  around_.accesses = {At(1)};
  around_.marked = {At(1)};
  std::array<Grey, 4> out;
  EXPECT_EQ(order->Pop(out), 0u);
  EXPECT_EQ(order->access_log(), AccessLog::kObjects);
  EXPECT_EQ(order->ring_entries(), 1024u);
  EXPECT_EQ(Make("memliner,ring=16")->ring_entries(), 16u);
}

TEST_F(OrderTest, MemlinerEstimatesByEpochsIfAsked) {
  // Page 1 is far and was used just now; page 2 is local and nobody knows of a use.
  around_.far = {1};
  auto order = Make("memliner,epoch_delta=1,epoch_change=0.5");
  around_.stamps().Use(1);
  Push(*order, {At(2), At(1)}, 0);
  std::array<Grey, 1> out;
  ASSERT_EQ(order->Pop(out), 1u);
  EXPECT_EQ(out[0].reference(), At(1));
  EXPECT_EQ(metrics_.deferrals.Value(), 1u);
  // One epoch later the use is still recent, two epochs later it is not.
  around_.marked.clear();
  around_.turnover = 0.5;
  Push(*order, {At(1)}, 0);
  EXPECT_THAT(TraceAll(*order, 1), ElementsAre(At(1), At(2)));
  around_.turnover = 1.0;
  around_.marked.clear();
  Push(*order, {At(1)}, 0);
  const uint64_t before = metrics_.deferrals.Value();
  TraceAll(*order, 1);
  EXPECT_EQ(metrics_.deferrals.Value() - before, 4u);
}

// --- memliner-release ---

TEST_F(OrderTest, MemlinerReleasePutsFarReferencesAsideOnce) {
  around_.far = {1, 2};
  auto order = Make("memliner-release");
  Push(*order, {At(1), At(2), At(3), At(4)}, 0);
  EXPECT_THAT(TraceAll(*order, 1), ElementsAre(At(3), At(4), At(1), At(2)));
  EXPECT_EQ(metrics_.deferrals.Value(), 2u);
}

TEST_F(OrderTest, MemlinerReleaseGoesDeepFromStoredReferencesAsFarAsItsBudgetReaches) {
  auto order = Make("memliner-release,budget=2");
  EXPECT_EQ(order->access_log(), AccessLog::kStores);
  Push(*order, {At(9)}, 0);
  around_.accesses = {At(1), At(5)};
  std::array<Grey, 1> out;
  // The newest first; what the budget does not reach goes on the stack.
  for (const uintptr_t expected : {At(5), At(6)}) {
    ASSERT_EQ(order->Pop(out), 1u);
    EXPECT_EQ(out[0].reference(), expected);
    Push(*order, {expected + base::kPageSize}, out[0].tag());
  }
  EXPECT_EQ(metrics_.from_ring.Value(), 2u);
  EXPECT_THAT(TraceAll(*order), ElementsAre(At(7), At(1), At(9)));
}

TEST_F(OrderTest, MemlinerReleaseKeepsTheNewestOfTooManyStores) {
  auto order = Make("memliner-release");
  for (swap::PageIndex page = 0; page < AccessRing::kCapacity; ++page) {
    around_.accesses.push_back(At(page));
  }
  std::array<Grey, 128> out;
  EXPECT_EQ(order->Pop(out), 64u);
  EXPECT_EQ(out[0].reference(), At(AccessRing::kCapacity - 1));
  for (swap::PageIndex page = 0; page < 100; ++page) around_.accesses.push_back(At(page));
  EXPECT_EQ(order->Pop(out), 100u);
}

TEST_F(OrderTest, MemlinerReleaseOnlyListensWhereOthersTrace) {
  auto order = Make("memliner-release,budget=2");
  EXPECT_FALSE(order->only_listens());
  around_.others_trace = true;
  EXPECT_TRUE(order->only_listens());
  around_.far = {5, 6};
  around_.accesses = {At(5)};
  Push(*order, {At(9)}, 0);
  std::array<Grey, 4> out;
  for (const uintptr_t expected : {At(5), At(6)}) {
    ASSERT_EQ(order->Pop(out), 1u);
    EXPECT_EQ(out[0].reference(), expected);
    Push(*order, {expected + base::kPageSize}, out[0].tag());
  }
  EXPECT_EQ(order->Pop(out), 0u);
  EXPECT_EQ(order->size(), 0u);
  EXPECT_THAT(around_.passed_on, UnorderedElementsAre(At(7), At(9)));
}

// --- lineup ---

TEST_F(OrderTest, LineupTracesWhatIsLocalAndNeverWaits) {
  around_.far = {1, 3};
  auto order = Make("lineup");
  Push(*order, {At(1), At(2), At(3), At(4)}, 0);
  EXPECT_THAT(TraceAll(*order, 8), UnorderedElementsAre(At(1), At(2), At(3), At(4)));
  EXPECT_EQ(waited_, 0u);
  EXPECT_THAT(around_.fetched, ElementsAre(Pair(1, Purpose::kTrace), Pair(3, Purpose::kTrace)));
}

TEST_F(OrderTest, LineupNeedsAFarPageOnceHoweverManyObjectsAreOnIt) {
  around_.far = {7};
  auto order = Make("lineup");
  for (size_t i = 0; i < 64; ++i) Push(*order, {At(7, 2 * i)}, 0);
  EXPECT_EQ(TraceAll(*order, 16).size(), 64u);
  EXPECT_EQ(around_.fetched.size(), 1u);
}

TEST_F(OrderTest, LineupReadsFarGroupsInAddressOrderAndManyAtOnce) {
  for (swap::PageIndex page = 100; page < 200; ++page) around_.far.insert(page);
  auto order = Make("lineup,window=16");
  for (swap::PageIndex page = 200; page > 100;) Push(*order, {At(--page)}, 0);
  std::array<Grey, 1> out;
  std::vector<uintptr_t> traced;
  while (around_.on_their_way.empty()) {
    for (size_t n = order->Pop(out); n > 0; --n) Trace(*order, out[n - 1], traced);
  }
  EXPECT_EQ(around_.on_their_way.size(), 16u);
  EXPECT_EQ(*around_.on_their_way.rbegin(), 115u);
  EXPECT_EQ(TraceAll(*order).size(), 100u);
  EXPECT_TRUE(std::is_sorted(around_.fetched.begin(), around_.fetched.end()));
}

TEST_F(OrderTest, LineupTracesAGroupWhenAMutatorBringsItsPageIn) {
  around_.far = {5, 6};
  around_.frames = 0;
  auto order = Make("lineup");
  Push(*order, {At(5), At(6)}, 0);
  std::array<Grey, 4> out;
  std::vector<uintptr_t> traced;
  for (size_t n = order->Pop(out); n > 0; --n) Trace(*order, out[n - 1], traced);
  EXPECT_THAT(traced, IsEmpty());
  around_.far = {5};
  around_.turnover = 0.1;
  around_.accesses = {At(6, 4)};
  around_.marked.insert(At(6, 4));
  ASSERT_EQ(order->Pop(out), 1u);
  EXPECT_EQ(out[0].reference(), At(6));
  EXPECT_TRUE(out[0].marked());
  EXPECT_EQ(metrics_.from_group.Value(), 1u);
}

TEST_F(OrderTest, LineupFollowsMutatorsOnceAPageHasBeenFar) {
  auto order = Make("lineup");
  around_.accesses = {At(1)};
  std::array<Grey, 4> out;
  EXPECT_EQ(order->access_log(), AccessLog::kNone);
  (void)order->Pop(out);
  EXPECT_EQ(around_.accesses.size(), 1u);
  around_.turnover = 0.1;
  EXPECT_EQ(order->access_log(), AccessLog::kPages);
  (void)order->Pop(out);
  EXPECT_EQ(around_.accesses.size(), 0u);
}

TEST_F(OrderTest, LineupLooksAheadOfMutators) {
  around_.far = {2};
  around_.turnover = 0.1;
  auto order = Make("lineup");
  around_.accesses = {At(1)};
  std::array<Grey, 4> out;
  (void)order->Pop(out);  // learns how far to look
  around_.accesses = {At(1)};
  ASSERT_EQ(order->Pop(out), 1u);
  EXPECT_EQ(out[0].reference(), At(1));
  Push(*order, {At(2), At(3)}, out[0].tag());
  ASSERT_GE(order->Pop(out), 1u);
  EXPECT_EQ(out[0].reference(), At(3));  // local: explored now
  (void)order->Pop(out);
  EXPECT_THAT(around_.fetched, ElementsAre(Pair(2, Purpose::kLookAhead)));
}

TEST_F(OrderTest, LineupLooksOneHopAheadWhereMoreDoesNotPay) {
  for (const bool pays : {true, false}) {
    around_.look_ahead_pays = pays;
    around_.marked.clear();
    around_.turnover = 0.1;
    auto order = Make("lineup");
    std::array<Grey, 4> out;
    (void)order->Pop(out);  // learns how far to look
    around_.accesses = {At(1)};
    ASSERT_EQ(order->Pop(out), 1u);
    const uint64_t before = metrics_.from_ring.Value();
    Push(*order, {At(2)}, out[0].tag());
    ASSERT_EQ(order->Pop(out), 1u);
    Push(*order, {At(3)}, out[0].tag());
    ASSERT_EQ(order->Pop(out), 1u);
    EXPECT_EQ(out[0].reference(), At(3));
    EXPECT_EQ(metrics_.from_ring.Value() - before, pays ? 2u : 1u);
  }
}

TEST_F(OrderTest, LineupSpillsALongStackIntoTheGroups) {
  auto order = Make("lineup,stack=64");
  std::vector<uintptr_t> all;
  for (swap::PageIndex page = 0; page < 500; ++page) {
    all.push_back(At(page));
    Push(*order, {At(page)}, 0);
  }
  EXPECT_THAT(TraceAll(*order, 16), ::testing::UnorderedElementsAreArray(all));
  EXPECT_EQ(waited_, 0u);
}

TEST_F(OrderTest, LineupWaitsForAPageAfterAllWhenNoneCanBeRead) {
  around_.far = {1, 2};
  around_.frames = 0;  // no frame is ever free
  auto order = Make("lineup");
  Push(*order, {At(1), At(2)}, 0);
  EXPECT_EQ(TraceAll(*order).size(), 2u);
  EXPECT_EQ(waited_, 2u);
  EXPECT_EQ(metrics_.forced.Value(), 2u);
}

TEST_F(OrderTest, LineupWaitsForAPageAfterAllWhenReadsFail) {
  around_.far = {1, 2};
  around_.fail_reads = true;
  auto order = Make("lineup");
  Push(*order, {At(1), At(2)}, 0);
  EXPECT_EQ(TraceAll(*order).size(), 2u);
  EXPECT_EQ(waited_, 2u);
}

TEST_F(OrderTest, LineupWaitsForAPageAfterAllThatNeverComes) {
  around_.on_their_way = {1};
  around_.stuck = true;
  auto order = Make("lineup");
  Push(*order, {At(1)}, 0);
  EXPECT_EQ(TraceAll(*order).size(), 1u);
  EXPECT_EQ(waited_, 1u);
}

TEST_F(OrderTest, LineupReadsPagesAroundOneThatItNeedsWhileThereIsRoom) {
  const std::pair<const char*, ptrdiff_t> expectations[] = {
      {"lineup", 5}, {"lineup,window=3", 3}, {"lineup,around=0", 1}};
  for (const auto& [spec, expected] : expectations) {
    around_.fetched.clear();
    for (swap::PageIndex page = 10; page < 30; ++page) {
      around_.far.insert(page);
      around_.objects.insert(At(page));
    }
    around_.objects.erase(At(19));  // nothing is there to be traced
    around_.marked = {At(21)};
    auto order = Make(spec);
    Push(*order, {At(20)}, 0);
    EXPECT_EQ(TraceAll(*order).size(), 1u);
    std::vector<swap::PageIndex> read;
    for (const auto& [page, purpose] : around_.fetched) {
      read.push_back(page);
      EXPECT_EQ(purpose, Purpose::kTrace);
    }
    const std::vector<swap::PageIndex> all = {20, 22, 18, 23, 17};
    EXPECT_EQ(read, std::vector(all.begin(), all.begin() + expected)) << spec;
  }
}

TEST_F(OrderTest, HowFarPagesAroundAreReadFollowsTheirUse) {
  ReadAround around(16, around_, metrics_);
  EXPECT_EQ(around.reach(), 4u);
  const auto read_on = [&](bool used) {
    for (swap::PageIndex page = 0; page < 2000; ++page) {
      around_.far.insert(page);
      around_.objects.insert(At(page));
    }
    around_.marked.clear();
    for (swap::PageIndex page = 100; page < 2000; page += 40) {
      around.Read(page, 16);
      const auto read = around_.on_their_way;
      EXPECT_LE(read.size(), 16u);
      (void)around_.Land();
      for (const swap::PageIndex at : read) {
        if (used) around_.marked.insert(At(at));
        around_.far.insert(at);  // and it leaves again
      }
      around.Judge();
      EXPECT_EQ(around.pending(), 0u);
    }
  };
  read_on(true);
  EXPECT_EQ(around.reach(), 16u);
  EXPECT_GT(metrics_.around_used.Value(), 0u);
  EXPECT_EQ(metrics_.around_unused.Value(), 0u);
  read_on(false);
  EXPECT_EQ(around.reach(), 1u);
  read_on(true);
  EXPECT_EQ(around.reach(), 16u);
}

TEST_F(OrderTest, LineupGivesAwayOnlyWhatIsNotMarked) {
  around_.far = {1};
  auto order = Make("lineup");
  Push(*order, {At(1)}, 0);
  std::array<Grey, 1> out;
  std::vector<uintptr_t> traced;
  ASSERT_EQ(order->Pop(out), 1u);
  Trace(*order, out[0], traced);  // into its group
  Push(*order, {At(2), At(3)}, 0);
  std::array<uintptr_t, 8> given;
  ASSERT_EQ(order->Give(given), 2u);
  EXPECT_THAT((std::vector<uintptr_t>{given[0], given[1]}), UnorderedElementsAre(At(2), At(3)));
  EXPECT_THAT(TraceAll(*order), ElementsAre(At(1)));
}

// --- any ---

TEST_F(OrderTest, UnknownNamesAreRefusedWithAListOfTheKnown) {
  for (const char* name : {"", "LIFO", "lifo ", "random"}) {
    auto order = MakeOrder(name, around_, metrics_);
    ASSERT_FALSE(order.ok());
    EXPECT_EQ(order.status().code(), StatusCode::kInvalidArgument);
    for (const auto& known : ListOrders()) {
      EXPECT_THAT(order.status().message(), HasSubstr(known.name));
    }
  }
}

TEST_F(OrderTest, NonsensicalOptionsAreRefused) {
  for (const char* spec :
       {"lifo,x=1", "lineup,", "lineup,window", "lineup,window=", "lineup,window=0",
        "lineup,window=1e3", "memliner,max_depth=-1", "memliner,free_low=nan",
        "memliner,epoch_delta=255", "memliner,ring=0", "memliner,ring=1025",
        "memliner-release,budget=0", "memliner,depth=1", "lineup,window=4,,"}) {
    auto order = MakeOrder(spec, around_, metrics_);
    ASSERT_FALSE(order.ok()) << spec;
    EXPECT_EQ(order.status().code(), StatusCode::kInvalidArgument);
  }
  EXPECT_TRUE(MakeOrder("memliner,max_depth=0,free_low=0.25", around_, metrics_).ok());
}

class AnyOrder : public OrderTest, public ::testing::WithParamInterface<std::string> {};

// An order that loses a reference loses objects; one that makes one up crashes the tracer. Pages
// come and go, mutators use objects, reads fail now and then.
TEST_P(AnyOrder, TracesEachPushedObjectOnceWhateverHappensToPages) {
  const char* given = std::getenv("TANDEM_TEST_SEED");
  const uint64_t seed =
      given != nullptr ? std::strtoull(given, nullptr, 0) : std::random_device{}();
  std::printf("TANDEM_TEST_SEED=%llu\n", static_cast<unsigned long long>(seed));
  std::mt19937_64 random(seed);
  auto order = Make(GetParam());
  std::set<uintptr_t> pushed;
  std::vector<uintptr_t> traced;
  std::vector<Grey> out;
  for (int step = 0; step < 20'000; ++step) {
    const swap::PageIndex page = random() % 200;
    switch (random() % 8) {
      case 0:
        if (!around_.on_their_way.contains(page)) around_.far.insert(page);
        break;
      case 1:
        around_.far.erase(page);
        break;
      case 2:
        around_.fail_reads = random() % 4 == 0;
        around_.frames = random() % 40;
        around_.free_share = static_cast<double>(random() % 100) / 100;
        break;
      case 3: {
        const uintptr_t used = At(page, random() % 8);
        if (pushed.contains(used)) around_.accesses.push_back(used);
        break;
      }
      case 4:
      case 5: {
        std::vector<uintptr_t> batch(random() % 20);
        for (auto& r : batch) r = At(random() % 200, random() % 8);
        order->Push(batch, static_cast<Tag>(random() % 3));
        pushed.insert(batch.begin(), batch.end());
        break;
      }
      default:
        out.resize(1 + random() % 40);
        for (size_t n = order->Pop(out); n > 0; --n) Trace(*order, out[n - 1], traced);
    }
  }
  for (const uintptr_t reference : TraceAll(*order, 8)) traced.push_back(reference);
  const std::set<uintptr_t> unique(traced.begin(), traced.end());
  EXPECT_EQ(unique.size(), traced.size());
  EXPECT_EQ(unique, pushed);
  EXPECT_EQ(order->size(), 0u);
}

std::vector<std::string> AllOrders() {
  std::vector<std::string> names;
  for (const auto& order : ListOrders()) names.push_back(order.name);
  return names;
}

INSTANTIATE_TEST_SUITE_P(Orders, AnyOrder, ::testing::ValuesIn(AllOrders()), [](const auto& p) {
  std::string name = p.param;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
});

}  // namespace
}  // namespace tandem::tracer
