// Data frames against std::map and plain vectors, and the taxi trips' answers against a loop.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "tests/workloads/harness.h"
#include "workloads/data_frame.h"
#include "workloads/random.h"
#include "workloads/taxi_trips.h"

namespace tandem::workloads::frames {
namespace {

constexpr uint64_t kRows = 1000;  // not a multiple of a piece's

using PlainRow = std::vector<int64_t>;

// (row's number, a key, a value)
void Fill(uint64_t number, std::span<int64_t> row) {
  Random random(number);
  row[0] = static_cast<int64_t>(number);
  row[1] = static_cast<int64_t>(random.Below(40)) - 20;
  row[2] = static_cast<int64_t>(random.Below(1000)) - 500;
}

std::vector<PlainRow> PlainRows() {
  std::vector<PlainRow> rows(kRows, PlainRow(3));
  for (uint64_t i = 0; i < kRows; ++i) Fill(i, rows[i]);
  return rows;
}

std::vector<PlainRow> RowsOf(const DataFrame& frame) {
  std::vector<PlainRow> rows;
  for (size_t piece = 0; piece < frame.pieces(); ++piece) {
    const size_t count = frame.RowsOf(piece);
    for (Row row(frame, piece); row.index < count; ++row.index) {
      PlainRow& plain = rows.emplace_back();
      for (size_t column = 0; column < frame.columns(); ++column) plain.push_back(row[column]);
    }
  }
  return rows;
}

class DataFrameTest : public ::testing::TestWithParam<uint64_t> {
 protected:
  void SetUp() override {
    HeapOptions options;
    options.heap_bytes = uint64_t{16} << 20;
    options.collect_every = 101;
    StatusOr<std::unique_ptr<Heap>> heap = Heap::Create(options);
    ASSERT_TRUE(heap.ok()) << heap.status().message();
    heap_ = std::move(*heap);
    mutator_ = std::make_unique<Mutator>(*heap_);
  }

  Threads threads() { return {*mutator_, GetParam()}; }

  Persistent<DataFrame> Frame(uint64_t rows = kRows) {
    Persistent<DataFrame> frame(*heap_);
    EXPECT_TRUE(MakeFrame(threads(), 3, rows, Fill, frame).ok());
    return frame;
  }

  std::unique_ptr<Heap> heap_;
  std::unique_ptr<Mutator> mutator_;
};

TEST_P(DataFrameTest, HoldsWhatItIsMadeOf) {
  const Persistent<DataFrame> frame = Frame();
  EXPECT_EQ(frame->CountRows(), kRows);
  EXPECT_EQ(RowsOf(*frame), PlainRows());
}

TEST_P(DataFrameTest, DerivesAColumn) {
  Persistent<DataFrame> frame = Frame();
  ASSERT_TRUE(Derive(
                  threads(), frame, [](const Row& row) { return row[1] * row[2]; }, frame)
                  .ok());
  std::vector<PlainRow> expected = PlainRows();
  for (PlainRow& row : expected) row.push_back(row[1] * row[2]);
  EXPECT_EQ(RowsOf(*frame), expected);
}

TEST_P(DataFrameTest, SelectsRows) {
  Persistent<DataFrame> chosen(*heap_);
  ASSERT_TRUE(Select(
                  threads(), Frame(), 1,
                  [](const Row& row, std::span<int64_t> more) {
                    more[0] = -row[0];
                    return row[2] > 250;
                  },
                  chosen)
                  .ok());
  std::vector<PlainRow> expected;
  for (const PlainRow& row : PlainRows()) {
    if (row[2] > 250) expected.push_back({row[0], row[1], row[2], -row[0]});
  }
  EXPECT_EQ(RowsOf(*chosen), expected);
  ASSERT_TRUE(
      Select(
          threads(), chosen, 0, [](const Row&, std::span<int64_t>) { return false; }, chosen)
          .ok());
  EXPECT_EQ(chosen->CountRows(), 0u);
}

TEST_P(DataFrameTest, JoinsRowsThatHaveAPartner) {
  // Partners of keys that are not below zero.
  Persistent<DataFrame> names(*heap_);
  ASSERT_TRUE(MakeFrame(
                  threads(), 2, 20,
                  [](uint64_t number, std::span<int64_t> row) {
                    row[0] = static_cast<int64_t>(number * 7 % 20);
                    row[1] = 1000 + row[0];
                  },
                  names)
                  .ok());
  Persistent<DataFrame> joined(*heap_);
  ASSERT_TRUE(Join(
                  threads(), Frame(), [](const Row& row) { return row[1]; }, names, 0, joined)
                  .ok());
  std::vector<PlainRow> expected;
  for (const PlainRow& row : PlainRows()) {
    if (row[1] >= 0) expected.push_back({row[0], row[1], row[2], row[1], 1000 + row[1]});
  }
  EXPECT_EQ(RowsOf(*joined), expected);
}

TEST_P(DataFrameTest, GroupsByKey) {
  Persistent<Groups> groups(*heap_);
  ASSERT_TRUE(GroupBy(
                  threads(), Frame(), [](const Row& row) { return row[1]; },
                  [](const Row& row) { return row[2]; }, groups)
                  .ok());
  std::map<int64_t, Total> expected;
  for (const PlainRow& row : PlainRows()) expected[row[1]].Add(Total::Of(row[2]));
  std::map<int64_t, Total> found;
  groups->ForEach([&](const Group& group) { found[group.key] = group.total; });
  EXPECT_EQ(found, expected);
  EXPECT_EQ(groups->size(), expected.size());
}

TEST_P(DataFrameTest, MayHaveNoRows) {
  Persistent<DataFrame> frame = Frame(0);
  Persistent<Groups> groups(*heap_);
  const auto zero = [](const Row&) { return int64_t{0}; };
  EXPECT_TRUE(Derive(threads(), frame, zero, frame).ok());
  EXPECT_TRUE(GroupBy(threads(), frame, zero, zero, groups).ok());
  EXPECT_EQ(frame->CountRows(), 0u);
  EXPECT_EQ(groups->size(), 0u);
}

INSTANTIATE_TEST_SUITE_P(Threads, DataFrameTest, ::testing::Values(1, 3),
                         ::testing::PrintToStringParamName());

TEST(TaxiTripsTest, ZonesDifferAndHaveABorough) {
  std::map<int64_t, int64_t> zones;
  for (uint64_t i = 0; i < kZones; ++i) {
    std::array<int64_t, kZoneColumns> zone;
    MakeZone(i, zone);
    EXPECT_GE(zone[kBorough], 1);
    EXPECT_LE(zone[kBorough], 4);
    zones[zone[kZone]] = zone[kBorough];
  }
  EXPECT_EQ(zones.size(), kZones);
}

TEST(TaxiTripsTest, DistancesAreThoseOfPythagoras) {
  EXPECT_EQ(Distance(0, 0, 0, 1'000'000), 111'000);
  EXPECT_EQ(Distance(1'000'000, 0, 0, 0), 84'000);
  EXPECT_EQ(Distance(0, 0, 1'000'000, 1'000'000), 139'201);
  EXPECT_EQ(Distance(5, 5, 5, 5), 0);
}

TEST(DataFrameWorkloadTest, AnswersAreThoseOfALoop) {
  constexpr uint64_t kTrips = 3000;
  std::map<int64_t, Total> passengers, durations;
  std::map<int64_t, int64_t> boroughs;
  for (uint64_t i = 0; i < kZones; ++i) {
    std::array<int64_t, kZoneColumns> zone;
    MakeZone(i, zone);
    boroughs[zone[kZone]] = zone[kBorough];
  }
  std::map<int64_t, Total> amounts, tips;
  for (uint64_t i = 0; i < kTrips; ++i) {
    std::array<int64_t, kTripColumns> trip;
    MakeTrip(1, i, trip);
    passengers[trip[kVendor]].Add(Total::Of(trip[kPassengers]));
    const int64_t duration = trip[kDropoffTime] - trip[kPickupTime];
    const int64_t hour = HourOf(trip[kPickupTime]);
    durations[hour].Add(Total::Of(duration));
    const auto borough = boroughs.find(ZoneOf(trip[kPickupLongitude], trip[kPickupLatitude]));
    if (duration < 0 || duration > 10'800 || trip[kPassengers] == 0 ||
        trip[kMeteredDistance] == 0 || borough == boroughs.end()) {
      continue;
    }
    amounts[borough->second * 100 + hour].Add(Total::Of(trip[kTotalAmount]));
    if (duration >= 1800) tips[MonthOf(trip[kPickupTime])].Add(Total::Of(trip[kTip]));
  }
  std::map<std::string, std::string> expected;
  const auto add = [&](const char* question, const std::map<int64_t, Total>& totals) {
    for (const auto& [key, total] : totals) {
      expected[question] += fmt::format("{},{},{},{},{},{}\n", question, key, total.count,
                                        total.sum, total.min, total.max);
    }
  };
  add("passengers of a vendor", passengers);
  add("duration by hour", durations);
  add("amount by borough and hour", amounts);
  add("tip of long trips by month", tips);

  ScratchFolder scratch;
  RunTiny("dataframe", {{"rows", {fmt::format("{}", kTrips)}}, {"output", {scratch.File("out")}}});
  const std::string output = ReadAll(scratch.File("out"));
  for (const auto& [question, lines] : expected) {
    EXPECT_NE(output.find(lines), std::string::npos) << question << " is not\n" << lines;
  }
}

TEST(DataFrameWorkloadTest, AnswerDependsOnTheSeedButNotOnThreads) {
  const std::string expected = RunTiny("dataframe", {}).checksum;
  EXPECT_EQ(RunTiny("dataframe", {{"threads", {"1"}}}).checksum, expected);
  EXPECT_NE(RunTiny("dataframe", {{"seed", {"2"}}}).checksum, expected);
}

TEST(DataFrameWorkloadTest, IsRefusedOnAHeapThatIsTooSmall) {
  StatusOr<std::unique_ptr<Workload>> workload = PrepareTiny("dataframe", {{"rows", {"200000"}}});
  ASSERT_TRUE(workload.ok());
  HeapOptions heap;
  heap.heap_bytes = uint64_t{8} << 20;
  Progress progress;
  EXPECT_EQ(RunOnHeap(**workload, heap, progress).status().code(), StatusCode::kResourceExhausted);
}

}  // namespace
}  // namespace tandem::workloads::frames
