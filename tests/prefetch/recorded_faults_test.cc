// What each prefetcher makes of the faults of real programs: tests/prefetch/faults, written by
// record_faults.py.
//
// A prefetcher is deterministic, so the counts are exact. They change when a policy does, and the
// new ones say what that is worth. Coverage and accuracy of whole runs:
// experiments/prefetchers.toml.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "tests/prefetch/replay.h"

namespace tandem::prefetch {
namespace {

using testing::Outcome;

std::vector<Page> ReadFaults(const std::string& program) {
  std::ifstream file(TANDEM_RECORDED_FAULTS "/" + program + ".txt");
  std::string command;
  std::getline(file, command);
  std::vector<Page> pages;
  for (Page page; file >> page;) pages.push_back(page);
  return pages;
}

struct Expected {
  const char* program;
  const char* prefetcher;
  Outcome outcome;
};

constexpr Expected kExpected[] = {
    {"dataframe", "readahead", {96, 504, 575}},
    {"dataframe", "readahead-16", {41, 559, 615}},
    {"dataframe", "leap", {92, 508, 540}},
    {"dataframe", "stride", {59, 541, 557}},
    {"dataframe", "streams", {9, 591, 639}},
    {"graph", "readahead", {491, 109, 242}},
    {"graph", "readahead-16", {227, 373, 3405}},
    {"graph", "leap", {512, 88, 186}},
    {"graph", "stride", {520, 80, 119}},
    {"graph", "streams", {475, 125, 250}},
    {"kv", "readahead", {600, 0, 18}},
    {"kv", "readahead-16", {455, 145, 6825}},
    {"kv", "leap", {600, 0, 0}},
    {"kv", "stride", {600, 0, 0}},
    {"kv", "streams", {600, 0, 0}},
    {"linear-regression", "readahead", {132, 468, 696}},
    {"linear-regression", "readahead-16", {41, 559, 615}},
    {"linear-regression", "leap", {600, 0, 0}},
    {"linear-regression", "stride", {600, 0, 0}},
    {"linear-regression", "streams", {10, 590, 756}},
    {"linked-lists", "readahead", {79, 521, 539}},
    {"linked-lists", "readahead-16", {40, 560, 600}},
    {"linked-lists", "leap", {83, 517, 538}},
    {"linked-lists", "stride", {14, 586, 602}},
    {"linked-lists", "streams", {9, 591, 623}},
    {"sort", "readahead", {384, 216, 464}},
    {"sort", "readahead-16", {133, 467, 1984}},
    {"sort", "leap", {591, 9, 26}},
    {"sort", "stride", {597, 3, 8}},
    {"sort", "streams", {347, 253, 612}},
};

void PrintTo(const Expected& expected, std::ostream* out) {
  *out << expected.prefetcher << " over " << expected.program;
}
std::string NameOf(const ::testing::TestParamInfo<Expected>& info) {
  std::string name = std::string(info.param.program) + "_" + info.param.prefetcher;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

class RecordedFaults : public ::testing::TestWithParam<Expected> {};

TEST_P(RecordedFaults, AreServedAsWellAsEver) {
  const auto& [program, name, expected] = GetParam();
  const std::vector<Page> faults = ReadFaults(program);
  ASSERT_EQ(faults.size(), 600u) << program;
  const auto prefetcher = std::move(MakePrefetcher(name).value());
  const Outcome outcome = testing::ReplayFaults(*prefetcher, faults);
  EXPECT_EQ(outcome.misses, expected.misses);
  EXPECT_EQ(outcome.hits, expected.hits);
  EXPECT_EQ(outcome.prefetched, expected.prefetched);
}

INSTANTIATE_TEST_SUITE_P(Programs, RecordedFaults, ::testing::ValuesIn(kExpected), NameOf);

}  // namespace
}  // namespace tandem::prefetch
