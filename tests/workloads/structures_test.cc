// The workloads on trees, chains and lists, against what they must come to by arithmetic or by
// the same steps on native memory.
#include <fmt/format.h>

#include <string>
#include <vector>

#include "tests/workloads/harness.h"
#include "workloads/random.h"

namespace tandem::workloads {
namespace {

constexpr uint64_t kFactor = 0x9e3779b97f4a7c15u;

TEST(BinaryTreesTest, CountsAsManyNodesAsTreesOfThatDepthHave) {
  // Depth 6: 4 trees of depth 4, 1 of depth 6, and the long-lived one in each of the two rounds.
  EXPECT_EQ(RunTiny("binary-trees", {{"depth", {"6"}}}).checksum,
            std::to_string(4 * 31 + 127 + 2 * 127));
  EXPECT_EQ(RunTiny("binary-trees", {{"depth", {"6"}}, {"churn", {"3"}}}).checksum,
            std::to_string(3 * (4 * 31 + 127) + 2 * 127));
}

TEST(BinaryTreesTest, AnswerDoesNotDependOnThreads) {
  EXPECT_EQ(RunTiny("binary-trees", {{"threads", {"1"}}}).checksum,
            RunTiny("binary-trees", {{"threads", {"4"}}}).checksum);
}

std::string ChaseOnNativeMemory(const std::vector<uint32_t>& successor, uint64_t steps) {
  uint64_t hash = 0;
  uint32_t at = 0;
  for (uint64_t i = 0; i < steps; ++i) {
    hash = hash * kFactor + at;
    at = successor[at];
  }
  return fmt::format("{:016x}", Mix(hash));
}

TEST(PointerChaseTest, SequentialVisitsInOrderOfAllocation) {
  std::vector<uint32_t> successor(1024);
  for (uint32_t i = 0; i < 1024; ++i) successor[i] = (i + 1) % 1024;
  EXPECT_EQ(RunTiny("pointer-chase",
                    {{"pattern", {"sequential"}}, {"working-set", {"64K"}}, {"steps", {"1500"}}})
                .checksum,
            ChaseOnNativeMemory(successor, 1500));
}

TEST(PointerChaseTest, RandomVisitsEveryObjectOnceInTheSeedsOrder) {
  const std::vector<uint32_t> successor = RandomCycle(1024, 9);
  EXPECT_EQ(RunTiny("pointer-chase", {{"working-set", {"64K"}}, {"seed", {"9"}}}).checksum,
            ChaseOnNativeMemory(successor, 1024));
}

TEST(PointerChaseTest, WorksWithOneObject) {
  EXPECT_EQ(RunTiny("pointer-chase", {{"working-set", {"64"}}, {"steps", {"10"}}}).checksum,
            ChaseOnNativeMemory({0}, 10));
}

TEST(RandomCycleTest, IsOneCycleThroughAll) {
  for (const uint32_t count : {1u, 2u, 3u, 1000u}) {
    const std::vector<uint32_t> successor = RandomCycle(count, 5);
    uint32_t at = 0, length = 0;
    do {
      at = successor[at];
      ++length;
    } while (at != 0 && length <= count);
    EXPECT_EQ(length, count);
  }
}

std::string WalkNativeLists(size_t lists, size_t length, uint64_t rounds, size_t churn,
                            uint64_t seed) {
  // Nodes join at the head, so a list is walked from its youngest node.
  std::vector<std::vector<uint64_t>> values(lists, std::vector<uint64_t>(length));
  Random random(seed);
  for (size_t k = length; k > 0; --k) {
    for (size_t i = 0; i < lists; ++i) values[i][k - 1] = random.Next();
  }
  std::vector<uint64_t> hashes(lists);
  for (uint64_t round = 0; round < rounds; ++round) {
    for (size_t i = 0; i < lists; ++i) {
      for (size_t k = 0; k < length; ++k) {
        if (churn != 0 && k > 0 && k % churn == 0) values[i][k] = Mix(values[i][k]);
        hashes[i] = hashes[i] * kFactor + values[i][k];
      }
    }
  }
  uint64_t checksum = 0;
  for (const uint64_t hash : hashes) checksum = Mix(checksum ^ hash);
  return fmt::format("{:016x}", checksum);
}

TEST(LinkedListsTest, WalksWhatItBuiltAndReplaced) {
  const OptionMap options = {{"lists", {"5"}}, {"length", {"1000"}}, {"rounds", {"7"}}};
  for (const size_t churn : {0, 1, 3}) {
    OptionMap churned = options;
    churned["churn"] = {std::to_string(churn)};
    EXPECT_EQ(RunTiny("linked-lists", churned).checksum, WalkNativeLists(5, 1000, 7, churn, 1));
  }
}

TEST(LinkedListsTest, AnswerDoesNotDependOnThreads) {
  EXPECT_EQ(RunTiny("linked-lists", {{"threads", {"1"}}}).checksum,
            RunTiny("linked-lists", {{"threads", {"3"}}}).checksum);
}

}  // namespace
}  // namespace tandem::workloads
