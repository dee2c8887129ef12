#include "runtime/base/timeline.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pthread.h>
#include <signal.h>

#include <atomic>
#include <cstdio>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <thread>
#include <vector>

namespace tandem::base {
namespace {

using nlohmann::json;

std::unique_ptr<Timeline> StartTimeline(TimelineOptions options = {}) {
  return Timeline::Start(options).value();
}

// Stops it and reads what it writes.
json Written(Timeline& timeline) {
  timeline.Stop();
  std::FILE* file = std::tmpfile();
  EXPECT_TRUE(timeline.Write(fileno(file)).ok());
  std::fseek(file, 0, SEEK_END);
  std::string text(static_cast<size_t>(std::ftell(file)), ' ');
  std::rewind(file);
  EXPECT_EQ(std::fread(text.data(), 1, text.size(), file), text.size());
  std::fclose(file);
  return json::parse(text);
}

// All but metadata.
std::vector<json> EventsOf(const json& written) {
  std::vector<json> events;
  for (const json& e : written["traceEvents"]) {
    if (e["ph"] != "M") events.push_back(e);
  }
  return events;
}

std::vector<std::string> NamesOf(const json& written) {
  std::vector<std::string> names;
  for (const json& e : EventsOf(written)) names.push_back(e["name"]);
  return names;
}

TEST(Timeline, RecordsNothingWhileThereIsNone) {
  Trace(Span::kCycle, 1, 2, 3);
  auto timeline = StartTimeline();
  timeline->Stop();
  Trace(Span::kCycle, 1, 2, 3);
  TraceNow(Span::kPostHint, 1);
  EXPECT_THAT(NamesOf(Written(*timeline)), ::testing::IsEmpty());
  EXPECT_EQ(timeline->dropped(), 0u);
}

TEST(Timeline, WritesAnEventWithItsTimesAndArguments) {
  auto timeline = StartTimeline();
  const uint64_t begin = NowNs();
  Trace(Span::kEvict, begin, begin + 1'234'567, 64, 7);
  const std::vector<json> events = EventsOf(Written(*timeline));
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0]["ph"], "X");
  EXPECT_EQ(events[0]["name"], "evict");
  EXPECT_NEAR(events[0]["dur"].get<double>(), 1234.567, 1e-6);
  EXPECT_EQ(events[0]["args"], json({{"pages", 64}, {"written", 7}}));
}

TEST(Timeline, WritesMomentsAndValuesAsSuch) {
  auto timeline = StartTimeline();
  TraceNow(Span::kPostPrefetch, 8);
  TraceNow(Span::kLocalPages, 100);
  const std::vector<json> events = EventsOf(Written(*timeline));
  ASSERT_EQ(events.size(), 2u);
  EXPECT_EQ(events[0]["ph"], "i");
  EXPECT_EQ(events[1]["ph"], "C");
  EXPECT_EQ(events[1]["args"]["pages"], 100);
}

TEST(Timeline, PutsEventsWhereTheyBeginWithOuterOnesFirst) {
  auto timeline = StartTimeline();
  const uint64_t t = NowNs();
  Trace(Span::kEvict, t + 30, t + 40, 1);
  Trace(Span::kFetchMutator, t + 20, t + 50, 1);
  Trace(Span::kMark, t + 10, t + 100, 1);
  Trace(Span::kPhase, t + 10, t + 200, reinterpret_cast<uintptr_t>("measured"));
  Trace(Span::kSweep, t + 60, t + 60, 1);
  Trace(Span::kCycle, t + 60, t + 60, 1);
  EXPECT_THAT(NamesOf(Written(*timeline)),
              ::testing::ElementsAre("measured", "mark", "fetch", "evict", "cycle", "sweep"));
}

TEST(Timeline, CutsOffWhatWasBeforeItsStart) {
  const uint64_t before = NowNs();
  auto timeline = StartTimeline();
  TraceSince(Span::kCycle, before - 1'000'000'000, 0);
  const std::vector<json> events = EventsOf(Written(*timeline));
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0]["ts"], 0);
  EXPECT_LT(events[0]["dur"], 1e6);
}

TEST(Timeline, EscapesNames) {
  auto timeline = StartTimeline();
  TraceSince(Span::kPhase, NowNs(), reinterpret_cast<uintptr_t>("a \"b\" \\ c\n"));
  EXPECT_THAT(NamesOf(Written(*timeline)), ::testing::ElementsAre("a \"b\" \\ c?"));
}

TEST(Timeline, GivesEachThreadATrackOfItsName) {
  constexpr uint64_t kThreads = 8;
  constexpr uint64_t kEvents = 1000;
  auto timeline = StartTimeline();
  std::vector<std::thread> threads;
  for (uint64_t t = 0; t < kThreads; ++t) {
    threads.emplace_back([t] {
      pthread_setname_np(pthread_self(), std::to_string(t).c_str());
      for (uint64_t i = 0; i < kEvents; ++i) TraceNow(Span::kPostHint, t * kEvents + i);
    });
  }
  for (auto& thread : threads) thread.join();
  const json written = Written(*timeline);
  std::map<int, std::string> names;
  for (const json& e : written["traceEvents"]) {
    if (e["name"] == "thread_name") names[e["tid"]] = e["args"]["name"];
  }
  EXPECT_EQ(names.size(), kThreads);
  std::map<std::string, uint64_t> next;
  for (const json& e : EventsOf(written)) {
    const std::string name = names.at(e["tid"]);
    const uint64_t expected = std::stoull(name) * kEvents + next[name]++;
    ASSERT_EQ(e["args"]["pages"], expected);
  }
  for (const auto& [name, count] : next) EXPECT_EQ(count, kEvents) << name;
}

TEST(Timeline, DropsAndCountsWhatAFullTrackHasNoRoomForButKeepsSomeForTheRare) {
  auto timeline = StartTimeline({.events_a_thread = 32, .threads = 2});
  for (uint64_t i = 0; i < 100; ++i) TraceNow(Span::kFetchMutator, i);
  TraceNow(Span::kCycle, 0);
  TraceNow(Span::kPhase, reinterpret_cast<uintptr_t>("measured"));
  TraceNow(Span::kCycle, 1);  // no room any more
  const json written = Written(*timeline);
  std::vector<std::string> expected(30, "fetch");
  expected.insert(expected.end(), {"cycle", "measured"});
  EXPECT_EQ(NamesOf(written), expected);
  EXPECT_EQ(timeline->dropped(), 71u);
  EXPECT_EQ(written["otherData"]["dropped_events"], 71);
}

TEST(Timeline, CountsTheEventsOfThreadsForWhichThereIsNoTrack) {
  auto timeline = StartTimeline({.events_a_thread = 16, .threads = 2});
  for (int i = 0; i < 3; ++i) std::thread([] { TraceNow(Span::kCycle, 0); }).join();
  EXPECT_EQ(NamesOf(Written(*timeline)).size(), 2u);
  EXPECT_EQ(timeline->dropped(), 1u);
}

TEST(Timeline, IsOneAtATime) {
  auto timeline = StartTimeline();
  EXPECT_EQ(Timeline::Start().status().code(), StatusCode::kInvalidArgument);
  TraceNow(Span::kCycle, 0);
  EXPECT_EQ(NamesOf(Written(*timeline)).size(), 1u);
}

TEST(Timeline, HasNothingOfAnEarlierOne) {
  auto first = StartTimeline();
  TraceNow(Span::kCycle, 0);
  first.reset();
  auto second = StartTimeline();
  TraceNow(Span::kMark, 0);
  EXPECT_THAT(NamesOf(Written(*second)), ::testing::ElementsAre("mark"));
}

TEST(Timeline, SaysWhenItCannotBeWritten) {
  auto timeline = StartTimeline();
  timeline->Stop();
  std::FILE* full = std::fopen("/dev/full", "w");
  const Status status = timeline->Write(fileno(full));
  EXPECT_EQ(status.code(), StatusCode::kIo);
  EXPECT_THAT(status.message(), ::testing::HasSubstr("No space"));
  std::fclose(full);
}

std::atomic<uint64_t> g_in_handler{0};

TEST(Timeline, TakesEventsOfSignalHandlersAmidThoseOfTheirThread) {
  struct sigaction action {
  }, before{};
  action.sa_handler = [](int) {
    TraceNow(Span::kFetchMutator, 1'000'000 + g_in_handler.fetch_add(1));
  };
  sigaction(SIGUSR1, &action, &before);
  auto timeline = StartTimeline();
  g_in_handler = 0;
  std::atomic<bool> stop{false};
  uint64_t added = 0;
  std::thread interrupted([&] {
    while (!stop.load()) {
      TraceNow(Span::kFetchMutator, added);
      if (++added == 100'000) break;
    }
  });
  for (int i = 0; i < 1000; ++i) {
    pthread_kill(interrupted.native_handle(), SIGUSR1);
    std::this_thread::yield();
  }
  stop = true;
  interrupted.join();
  std::set<uint64_t> pages;
  for (const json& e : EventsOf(Written(*timeline)))
    pages.insert(e["args"]["page"].get<uint64_t>());
  EXPECT_EQ(pages.size(), added + g_in_handler.load());
  EXPECT_EQ(timeline->dropped(), 0u);
  sigaction(SIGUSR1, &before, nullptr);
}

}  // namespace
}  // namespace tandem::base
