#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "runtime/record/reader.h"
#include "runtime/record/recorder.h"

namespace tandem::record {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr uintptr_t kBase = uintptr_t{1} << 36;
constexpr uint64_t kHeapBytes = 1 << 20;

uintptr_t At(uint64_t granule) { return kBase + granule * 16; }

class RecordingTest : public ::testing::Test {
 protected:
  RecordingTest()
      : path_(::testing::TempDir() + "recording-" + std::to_string(getpid()) + "-" +
              ::testing::UnitTest::GetInstance()->current_test_info()->name()) {}
  ~RecordingTest() override { std::remove(path_.c_str()); }

  std::unique_ptr<Recorder> Begin() {
    auto recorder = std::move(Recorder::Create(path_).value());
    EXPECT_TRUE(recorder->Begin(kBase, kHeapBytes));
    return recorder;
  }
  // A little of everything.
  void RecordSome() {
    auto recorder = Begin();
    const uint32_t first = recorder->AddThread();
    const uint32_t second = recorder->AddThread();
    recorder->Birth(first, At(0), 64, false);
    recorder->Birth(first, At(4), 48, true);
    recorder->Store(first, At(0), At(0) + 8, At(4));
    recorder->Access(second, At(4), At(4) + 8);
    recorder->Roots(Kind::kCycle, std::vector<uintptr_t>{At(4), At(0)});
    recorder->Wait(second);
    ASSERT_TRUE(recorder->Finish().ok());
  }
  std::vector<Event> ReadAll() {
    auto reader = std::move(Reader::Open(path_).value());
    EXPECT_EQ(reader->heap_bytes(), kHeapBytes);
    std::vector<Event> events;
    Event event;
    while (reader->Next(event).value()) events.push_back(event);
    EXPECT_EQ(events.size(), reader->events());
    return events;
  }
  std::string Bytes() {
    std::ifstream file(path_, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  void Overwrite(const std::string& bytes) {
    std::ofstream(path_, std::ios::binary | std::ios::trunc) << bytes;
  }
  std::string Error() { return Reader::Open(path_).status().message(); }

  const std::string path_;
};

TEST_F(RecordingTest, WhatIsReadIsWhatWasRecorded) {
  RecordSome();
  const std::vector<Event> events = ReadAll();
  ASSERT_EQ(events.size(), 7u);
  EXPECT_EQ(events[0].kind, Kind::kBirth);
  EXPECT_EQ(events[0].object, 0u);
  EXPECT_EQ(events[0].count, 4u);
  EXPECT_FALSE(events[0].leaf);
  EXPECT_EQ(events[1].object, 4u);
  EXPECT_EQ(events[1].count, 3u);
  EXPECT_TRUE(events[1].leaf);
  EXPECT_EQ(events[2].kind, Kind::kStore);
  EXPECT_EQ(events[2].object, 0u);
  EXPECT_EQ(events[2].index, 0u);
  EXPECT_EQ(events[2].target, 4u);
  EXPECT_EQ(events[3].kind, Kind::kThread);
  EXPECT_EQ(events[3].index, 1u);
  EXPECT_EQ(events[4].kind, Kind::kAccess);
  EXPECT_EQ(events[4].object, 4u);
  EXPECT_EQ(events[4].index, 0u);
  EXPECT_EQ(events[5].kind, Kind::kCycle);
  EXPECT_THAT(events[5].roots, ElementsAre(4, 0));
  EXPECT_EQ(events[6].kind, Kind::kWait);
}

TEST_F(RecordingTest, AnAccessAgainAndAgainIsCounted) {
  auto recorder = Begin();
  for (int i = 0; i < 1000; ++i) recorder->Access(0, At(512), At(512) + 8);
  recorder->Access(0, At(512), At(512) + 4096);  // another page of it
  ASSERT_TRUE(recorder->Finish().ok());
  const std::vector<Event> events = ReadAll();
  ASSERT_EQ(events.size(), 3u);
  EXPECT_EQ(events[1].kind, Kind::kRepeat);
  EXPECT_EQ(events[1].count, 999u);
  EXPECT_EQ(events[2].object, 512u);
  EXPECT_EQ(events[2].index, 1u);
}

TEST_F(RecordingTest, AStoreOfNullAndPlacesFarApartComeBack) {
  auto recorder = Begin();
  const uint64_t last = kHeapBytes / 16 - 2;
  recorder->Birth(0, At(last), 32, false);
  recorder->Birth(0, At(0), 16, false);
  recorder->Store(0, At(last), At(last) + 16, 0);
  recorder->Store(0, At(0), At(0) + 8, At(last));
  recorder->Pages(0, Kind::kRange, 3, 7);
  ASSERT_TRUE(recorder->Finish().ok());
  const std::vector<Event> events = ReadAll();
  ASSERT_EQ(events.size(), 5u);
  EXPECT_EQ(events[0].object, last);
  EXPECT_EQ(events[1].object, 0u);
  EXPECT_EQ(events[2].index, 1u);
  EXPECT_EQ(events[2].target, Event::kNull);
  EXPECT_EQ(events[3].target, last);
  EXPECT_EQ(events[4].index, 3u);
  EXPECT_EQ(events[4].count, 7u);
}

TEST_F(RecordingTest, ATruncatedFileIsRefusedWhereverItEnds) {
  RecordSome();
  const std::string whole = Bytes();
  for (size_t bytes = 0; bytes < whole.size(); ++bytes) {
    Overwrite(whole.substr(0, bytes));
    EXPECT_THAT(Error(), HasSubstr(bytes < 8 ? "is no recording" : "is truncated")) << bytes;
  }
}

TEST_F(RecordingTest, ARunThatWasKilledLeavesATruncatedFile) {
  auto recorder = Begin();
  recorder->Wait(0);
  recorder.reset();
  EXPECT_THAT(Error(), HasSubstr("is no recording"));  // nothing had been written yet
}

TEST_F(RecordingTest, ADamagedFileIsRefusedWhateverByteItIs) {
  RecordSome();
  const std::string whole = Bytes();
  for (size_t at = 0; at < whole.size(); ++at) {
    if (at >= whole.size() - 24 && at < whole.size() - 16) continue;  // the number of events
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x40);
    Overwrite(damaged);
    EXPECT_FALSE(Reader::Open(path_).ok()) << at;
  }
}

TEST_F(RecordingTest, AnotherVersionAndForeignFilesAreRefusedInOneLine) {
  RecordSome();
  std::string other = Bytes();
  other[8] = 2;
  Overwrite(other);
  EXPECT_THAT(Error(), HasSubstr("of version 2; this command reads version 1 only"));
  Overwrite("{\"traceEvents\": []}\n");
  EXPECT_THAT(Error(), HasSubstr("is no recording"));
  EXPECT_THAT(Reader::Open("/dev/null").status().message(), HasSubstr("is no recording"));
  EXPECT_THAT(Reader::Open("/").status().message(), HasSubstr("is no recording"));
  EXPECT_THAT(Reader::Open("/nonexistent/file").status().message(),
              HasSubstr("No such file or directory"));
}

TEST_F(RecordingTest, EventsOutsideOfTheHeapAreRefused) {
  auto recorder = Begin();
  recorder->Pages(0, Kind::kRange, 0, kHeapBytes / 4096 + 1);
  ASSERT_TRUE(recorder->Finish().ok());
  auto reader = std::move(Reader::Open(path_).value());
  Event event;
  const auto next = reader->Next(event);
  ASSERT_FALSE(next.ok());
  EXPECT_THAT(next.status().message(), HasSubstr("makes no sense at event 1"));
}

TEST_F(RecordingTest, WhatCannotBeWrittenIsTold) {
  EXPECT_THAT(Recorder::Create("/nonexistent/file").status().message(),
              HasSubstr("No such file or directory"));
  auto recorder = std::move(Recorder::Create("/dev/full").value());
  ASSERT_TRUE(recorder->Begin(kBase, kHeapBytes));
  recorder->Wait(0);
  EXPECT_THAT(recorder->Finish().message(), HasSubstr("No space left"));
}

TEST_F(RecordingTest, OneHeapOnlyIsRecorded) {
  auto recorder = Begin();
  EXPECT_FALSE(recorder->Begin(kBase, kHeapBytes));
}

}  // namespace
}  // namespace tandem::record
