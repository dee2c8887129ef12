#include "runtime/tracer/grey_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace tandem::tracer {
namespace {

TEST(GreyPool, EndsAtOnceForALoneTracerWithoutWork) {
  GreyPool pool;
  pool.Begin(1);
  EXPECT_TRUE(pool.Get().empty());
  EXPECT_TRUE(pool.TryGet().empty());
  EXPECT_TRUE(pool.Empty());
}

TEST(GreyPool, IgnoresEmptyBatches) {
  GreyPool pool;
  pool.Add({});
  EXPECT_TRUE(pool.Empty());
}

TEST(GreyPool, KeepsWhatIsAddedBetweenSessions) {
  GreyPool pool;
  pool.Begin(1);
  EXPECT_TRUE(pool.Get().empty());
  pool.Add({1, 2, 3});
  EXPECT_FALSE(pool.Empty());
  pool.Begin(1);
  EXPECT_EQ(pool.Get().size(), 3u);
  EXPECT_TRUE(pool.Get().empty());
}

// Each reference n makes references below n, a tree of known size, in whoever's hands it is.
// The session must end for all, and not before every reference has been worked off.
TEST(GreyPool, EndsForAllTracersWhenAndOnlyWhenAllWorkIsDone) {
#ifdef TANDEM_SANITIZER
  constexpr int kSessions = 30;
#else
  constexpr int kSessions = 300;
#endif
  for (unsigned tracers : {1u, 2u, 5u}) {
    GreyPool pool;
    for (int session = 0; session < kSessions; ++session) {
      std::atomic<uint64_t> done{0};
      pool.Add({10});  // makes 2^10 in all
      pool.Begin(tracers);
      std::vector<std::thread> threads;
      for (unsigned t = 0; t < tracers; ++t) {
        threads.emplace_back([&] {
          while (true) {
            GreyBatch batch = pool.Get();
            if (batch.empty()) return;
            while (!batch.empty()) {
              const uintptr_t n = batch.back();
              batch.pop_back();
              for (uintptr_t child = 0; child < n; ++child) batch.push_back(child);
              ++done;
              if (batch.size() > 4 && pool.SomebodyIsIdle()) {
                pool.Add(GreyBatch(batch.begin(), batch.begin() + 2));
                batch.erase(batch.begin(), batch.begin() + 2);
              }
            }
          }
        });
      }
      for (auto& thread : threads) thread.join();
      ASSERT_EQ(done, 1u << 10);
      ASSERT_TRUE(pool.Empty());
    }
  }
}

// One that takes nothing adds to the pool now and then, while the others are idle or not.
TEST(GreyPool, EndsForOneThatRestsAndNotBeforeWhatItAddsIsDone) {
#ifdef TANDEM_SANITIZER
  constexpr int kSessions = 20;
#else
  constexpr int kSessions = 100;
#endif
  for (unsigned workers : {1u, 3u}) {
    GreyPool pool;
    for (int session = 0; session < kSessions; ++session) {
      std::atomic<uint64_t> added{0};
      std::atomic<uint64_t> done{0};
      pool.Begin(workers + 1);
      EXPECT_EQ(pool.tracers(), workers + 1);
      std::vector<std::thread> threads;
      for (unsigned t = 0; t < workers; ++t) {
        threads.emplace_back([&] {
          for (GreyBatch batch = pool.Get(); !batch.empty(); batch = pool.Get()) {
            done += batch.size();
          }
        });
      }
      threads.emplace_back([&] {
        for (int round = 0;; ++round) {
          if (round < 10) {
            added += 2;
            pool.Add({1, 2});
          }
          if (pool.Rest()) return;
        }
      });
      for (auto& thread : threads) thread.join();
      ASSERT_EQ(done, added);
      ASSERT_GE(added, 2u);
      ASSERT_TRUE(pool.Empty());
    }
  }
}

}  // namespace
}  // namespace tandem::tracer
