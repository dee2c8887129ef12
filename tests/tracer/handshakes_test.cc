#include "runtime/tracer/handshakes.h"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <map>
#include <mutex>
#include <thread>
#include <vector>

#include "tests/tracer/parts.h"

namespace tandem::tracer {
namespace {

using testing::Attached;
using testing::Parts;

TEST(Handshakes, EndAtOnceWhenNobodyIsAttached) {
  Parts parts;
  int ran = 0;
  parts.collector->handshakes().Execute([&](MutatorThread&) { ++ran; }, nullptr);
  EXPECT_EQ(ran, 0);
}

TEST(Handshakes, RunOnTheThreadItselfAtItsNextSafepoint) {
  Parts parts;
  std::atomic<bool> stop{false};
  std::atomic<int> attached{0};
  std::thread::id running_id;
  std::thread running([&] {
    Attached self(parts);
    running_id = std::this_thread::get_id();
    ++attached;
    while (!stop) self.thread().Poll();
  });
  while (attached < 1) std::this_thread::yield();
  std::thread::id ran_on;
  parts.collector->handshakes().Execute(
      [&](MutatorThread&) { ran_on = std::this_thread::get_id(); }, nullptr);
  EXPECT_EQ(ran_on, running_id);
  stop = true;
  running.join();
}

TEST(Handshakes, RunOnBehalfOfAThreadThatIsSafe) {
  Parts parts;
  std::atomic<bool> stop{false};
  std::atomic<bool> safe{false};
  std::thread blocked([&] {
    Attached self(parts);
    self.thread().RunSafely([&] {
      safe = true;
      while (!stop) std::this_thread::yield();
    });
  });
  while (!safe) std::this_thread::yield();
  std::thread::id ran_on;
  parts.collector->handshakes().Execute(
      [&](MutatorThread&) { ran_on = std::this_thread::get_id(); }, nullptr);
  EXPECT_EQ(ran_on, std::this_thread::get_id());
  stop = true;
  blocked.join();
}

TEST(Handshakes, BringThoseWhoJoinLaterToTheSameState) {
  Parts parts;
  int joined = 0;
  parts.collector->handshakes().Execute([](MutatorThread&) {}, [&](MutatorThread&) { ++joined; });
  { Attached self(parts); }
  { Attached self(parts); }
  EXPECT_EQ(joined, 2);
  parts.collector->handshakes().Execute([](MutatorThread&) {}, nullptr);
  { Attached self(parts); }
  EXPECT_EQ(joined, 3) << "a handshake without a joining operation changes nothing";
}

// Threads that run, block, join and leave; each handshake runs once for each that is attached
// all the time, at most once for the others, and never while the thread itself uses its state.
TEST(Handshakes, RunOnceForEachThreadWhateverItDoes) {
#ifdef TANDEM_SANITIZER
  constexpr int kHandshakes = 100;
#else
  constexpr int kHandshakes = 1000;
#endif
  Parts parts;
  std::atomic<bool> stop{false};
  std::atomic<int> steady{0};
  std::atomic<uint64_t> collisions{0};
  // Guarded by being stopped: deliberately not atomic, so that a race detector sees what the
  // status word orders.
  struct State {
    uint64_t operations = 0;
    uint64_t own = 0;
  };
  std::mutex mutex;
  std::map<MutatorThread*, State*> states;
  const auto enrol = [&](MutatorThread& t, State* s) {
    std::lock_guard lock(mutex);
    if (s != nullptr) {
      states[&t] = s;
    } else {
      states.erase(&t);
    }
  };
  std::vector<std::thread> threads;
  State run_state;
  State block_state;
  threads.emplace_back([&] {
    Attached self(parts);
    enrol(self.thread(), &run_state);
    ++steady;
    while (!stop) {
      ++run_state.own;
      self.thread().Poll();
    }
  });
  threads.emplace_back([&] {
    Attached self(parts);
    enrol(self.thread(), &block_state);
    ++steady;
    while (!stop) {
      self.thread().RunSafely([] { std::this_thread::yield(); });
      ++block_state.own;
      self.thread().RunSafely([&] { self.thread().RunSafely([] {}); });
    }
  });
  for (int i = 0; i < 2; ++i) {
    threads.emplace_back([&] {
      while (!stop) {
        State state;
        Attached self(parts);
        enrol(self.thread(), &state);
        for (int n = 0; n < 5; ++n) {
          ++state.own;
          self.thread().Poll();
        }
        self.thread().RunSafely([&] { enrol(self.thread(), nullptr); });
      }
    });
  }
  while (steady < 2) std::this_thread::yield();
  for (int i = 1; i <= kHandshakes; ++i) {
    std::mutex seen_mutex;
    std::map<MutatorThread*, int> seen;
    parts.collector->handshakes().Execute(
        [&](MutatorThread& t) {
          {
            std::lock_guard lock(seen_mutex);
            if (++seen[&t] > 1) ++collisions;
          }
          State* state = nullptr;
          {
            std::lock_guard lock(mutex);
            if (const auto it = states.find(&t); it != states.end()) state = it->second;
          }
          if (state != nullptr) {
            ++state->operations;
            ++state->own;
          }
        },
        nullptr);
  }
  stop = true;
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(collisions, 0u);
  EXPECT_EQ(run_state.operations, static_cast<uint64_t>(kHandshakes));
  EXPECT_EQ(block_state.operations, static_cast<uint64_t>(kHandshakes));
  EXPECT_EQ(parts.collector->handshakes().threads(), 0u);
}

TEST(Handshakes, HearEveryThreadInTurn) {
  Parts parts;
  std::atomic<int> attached{0};
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  for (uintptr_t id = 1; id <= 3; ++id) {
    threads.emplace_back([&, id] {
      Attached self(parts);
      for (int i = 0; i < 100; ++i) self.thread().accesses().Push(id);
      ++attached;
      while (!stop) self.thread().Poll();
    });
  }
  while (attached < 3) std::this_thread::yield();
  std::map<uintptr_t, int> heard;
  for (int i = 0; i < 3; ++i) {
    std::array<uintptr_t, 64> used;
    EXPECT_EQ(parts.collector->handshakes().TakeAccesses(used), used.size());
    for (const uintptr_t id : used) ++heard[id];
  }
  EXPECT_EQ(heard[1], 64);
  EXPECT_EQ(heard[2], 64);
  EXPECT_EQ(heard[3], 64);
  stop = true;
  for (auto& thread : threads) thread.join();
}

}  // namespace
}  // namespace tandem::tracer
