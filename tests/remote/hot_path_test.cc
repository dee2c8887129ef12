// From a miss to the posted read, nothing of ours allocates, locks or calls the system.
//
// The stretch begins where the barrier has seen that a page is far, and ends when the pager tells
// of the miss, which it does as soon as the read is posted. Frames are free, as the evictor keeps
// them; where there are none, evicting is what the thread does first.
#include <gmock/gmock.h>
#include <pthread.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <vector>

#include "tests/remote/server_process.h"
#include "tests/remote/trespass.h"
#include "tests/swap/pager_rig.h"

namespace tandem::rdma {
namespace {

using swap::PageIndex;

// Ends what is watched at the miss.
class EndAtMiss final : public swap::AccessObserver {
 public:
  explicit EndAtMiss(int& misses) : misses_(misses) {}
  void OnMiss(PageIndex) override {
    Trespasses::End();
    ++misses_;
  }
  void OnHit(PageIndex) override {}

 private:
  int& misses_;
};

TEST(TrespassesTest, AreSeenAndWhoCommitsThem) {
  if (!Trespasses::Prepare()) GTEST_SKIP() << "this kernel does not show system calls";
  pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  Trespasses::Begin();
  void* const made = ::operator new(8);
  pthread_mutex_lock(&mutex);
  const pid_t parent = getppid();
  Trespasses::End();
  pthread_mutex_unlock(&mutex);
  ::operator delete(made);
  const std::vector<Trespass> seen = Trespasses::Seen();
  ASSERT_EQ(seen.size(), 3u);
  EXPECT_EQ(seen[0].what, "operator new");
  EXPECT_EQ(seen[1].what, "pthread_mutex_lock");
  EXPECT_EQ(seen[2].what, "system call 110");
  for (const Trespass& t : seen) EXPECT_TRUE(t.ours) << t.what << " of " << t.where;
  EXPECT_EQ(parent, getppid());  // it was made all the same
}

class HotPath : public ::testing::TestWithParam<const char*> {};

TEST_P(HotPath, FromMissToPostedReadNothingOfOursAllocatesLocksOrCallsTheSystem) {
  const std::string fabric = GetParam();
  const ServerProcess server = ServerProcess::Of(fabric, "hot-path");
  swap::PagerRig rig({.fabric = server.url()});
  rig.FillRange(0, 400, 1);
  rig.Evict(0, 300);
  int misses = 0;
  swap::BoundPort port(rig.pager(), std::make_unique<EndAtMiss>(misses));
  const bool sees_system_calls = Trespasses::Prepare();
  size_t theirs = 0;
  constexpr int kWarm = 50;
  for (PageIndex page = 0; page < 250; ++page) {
    rig.MakeRoom();
    ASSERT_TRUE(rig.IsFar(page));
    const int before = misses;
    Trespasses::Begin();
    rig.pager().MakeLocal(page, *port, swap::Cause::kMutator);
    Trespasses::End();
    ASSERT_EQ(misses, before + 1);
    EXPECT_TRUE(rig.Holds(page, 1));
    for (const Trespass& t : Trespasses::Seen()) {
      EXPECT_FALSE(t.ours) << t.what << " at miss " << misses;
      if (misses <= kWarm) continue;
      if (++theirs == 1)
        std::printf("%s: %s of %s, for one\n", fabric.c_str(), t.what.c_str(), t.where.c_str());
    }
  }
  std::printf("%s: %d misses; after %d of them the libraries did %zu such things%s\n",
              fabric.c_str(), misses, kWarm, theirs,
              sees_system_calls ? "" : "; this kernel does not show system calls");
}

INSTANTIATE_TEST_SUITE_P(Fabrics, HotPath, ::testing::Values("tcp", "tcp-rdm", "shm", "shm-ofi"));
INSTANTIATE_TEST_SUITE_P(Device, HotPath, ::testing::ValuesIn(OnDevice({"verbs"})));

}  // namespace
}  // namespace tandem::rdma
