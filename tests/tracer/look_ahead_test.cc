#include "runtime/tracer/look_ahead.h"

#include <gtest/gtest.h>

namespace tandem::tracer {
namespace {

TEST(LookAheadJudge, LetsItBeTriedAtFirst) {
  LookAheadJudge judge;
  EXPECT_TRUE(judge.Pays(0, 0));
  EXPECT_TRUE(judge.Pays(0, 31));
}

TEST(LookAheadJudge, WantsAThirdOfThePagesUsed) {
  LookAheadJudge judge;
  EXPECT_TRUE(judge.Pays(40, 80));
  EXPECT_FALSE(judge.Pays(40, 90));
}

TEST(LookAheadJudge, ForgetsWhatWasLongAgo) {
  LookAheadJudge judge;
  uint64_t unused = 200;
  EXPECT_FALSE(judge.Pays(0, unused));
  bool pays = false;
  for (uint64_t used = 50; used <= 300 && !pays; used += 50) pays = judge.Pays(used, unused);
  EXPECT_TRUE(pays);
  // And the other way round.
  for (unused = 400; unused <= 1600 && pays; unused += 200) pays = judge.Pays(300, unused);
  EXPECT_FALSE(pays);
}

}  // namespace
}  // namespace tandem::tracer
